/** Frames and messages of the WebSocket. */
import type { components } from "./api";
import type { OrderStatus } from "./rows";

type Schemas = components["schemas"];
export type OrderData = Schemas["OrderEventData"] | Schemas["OfficeOrderEventData"];

export interface DriverLocation {
  driver_id: number;
  latitude: number;
  longitude: number;
  speed: number | null;
  heading: number | null;
  timestamp: string;
}

export interface Notice {
  title?: string;
  message?: string;
  severity?: string;
  action?: { type: string; order_id: number } | null;
}

export interface EventData {
  "order.created": OrderData;
  "order.updated": OrderData;
  "order.urgent": OrderData;
  "order.cancelled": OrderData;
  "order.status_changed": OrderData;
  "order.assigned": OrderData;
  "order.unassigned": Schemas["UnassignedData"];
  "delivery.update": Schemas["DeliveryUpdateData"];
  "delivery.confirmed": {
    order_id: number;
    confirmation_type: string;
    cylinder_serials: string[];
    confirmed_at: string;
  };
  "route.assigned": { route_id: number; driver_id: number | null; total_stops: number; date: string };
  "route.updated": { route_id: number; driver_id: number | null; total_stops: number; date: string };
  "driver.location": DriverLocation;
  "driver.online": { driver_id: number };
  "driver.offline": { driver_id: number };
  "customer.created": { customer_id: number; name: string };
  "customer.updated": { customer_id: number; name: string };
  "inventory.updated": { product_id: number; name: string; stock: number; threshold: number };
  "inventory.low": { product_id: number; name: string; stock: number; threshold: number };
  notification: Notice;
  "notification.sent": { notification_id: string; order_id: number | null; kind: string; status: string };
  "notification.failed": { notification_id: string; order_id: number | null; kind: string; status: string };
  "system.message": Notice;
  "maintenance.alert": Notice;
}

/** The frame of an event. An event without `id` is not in the event log. */
export interface Envelope<Type, Data> {
  type: Type;
  id?: number;
  channel: string;
  timestamp: string;
  data: Data;
}

export type EventFrame = { [Type in keyof EventData]: Envelope<Type, EventData[Type]> }[keyof EventData];
/** An event that is about an order's row. */
export type OrderFrame = Extract<EventFrame, { type: `order.${string}` }>;

export interface Connected {
  type: "connection";
  timestamp: string;
  channels: string[];
  last_event_id: number;
  epoch: string;
  recovered: boolean | null;
  heartbeat_interval: number;
  expires_at?: string | null;
}

export interface Refused {
  type: "error";
  code: string;
  detail: string;
  ref?: string;
}

/** Frames of the server that are not events. */
export type FlatFrame =
  | Connected
  | Refused
  | { type: "heartbeat"; timestamp: string; last_event_id: number }
  | { type: "subscribed"; channel: string; last_event_id: number }
  | { type: "unsubscribed"; channel: string }
  | { type: "ack"; ref: string; order_id: number; status: OrderStatus; version: number }
  | { type: "authenticated"; timestamp: string; expires_at: string | null }
  | { type: "restart"; retry_in: number };

export type Frame = EventFrame | FlatFrame;

/** A message that a page sends. */
export interface Message {
  type: string;
  ref?: string;
  [field: string]: unknown;
}

export type SocketState = "connecting" | "live" | "reconnecting" | "offline" | "polling" | "reloading" | "closed";

/** For each event of a `LuckyGasSocket`, the value that its handlers get. */
export type SocketEvents = { [Type in Frame["type"]]: Extract<Frame, { type: Type }> } & {
  "*": Frame;
  state: SocketState;
  connected: Connected;
  resync: object;
  close: { code: number };
  sent: Message;
  unauthenticated: object;
  forbidden: object;
};
