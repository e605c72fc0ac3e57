/** The JSON that the server writes into a page (`pages/page_data.py` and the views). */
import type { OrderStatus, TimeSlot } from "./rows";

export interface Move {
  to: OrderStatus;
  needs_reason: boolean;
  /** The label of the driver's button; "" without a button. */
  label?: string;
}

export interface MapSettings {
  tiles?: string;
  attribution?: string;
}

export interface Place {
  latitude: number | null;
  longitude: number | null;
}

/** Each page has only the fields that it needs. */
export interface PageData {
  user: number;
  driver: number;
  labels: {
    status: Record<OrderStatus, string>;
    priority: Record<string, string>;
    time_slot: Record<TimeSlot, string>;
    confirmation_type: Record<string, string>;
    message_status: Record<string, string>;
  };
  statuses: Record<"open" | "closed" | "with_driver" | "on_the_road" | "done_by_driver", OrderStatus[]>;
  slots: TimeSlot[];
  moves: Record<OrderStatus, Move[]>;
  /** The server's limits for a driver's input. */
  limits: { serials: number; serial_length: number; motion: Record<string, [number, number]> };
  time_zone?: string;
  map?: MapSettings;
  /** The server's time, on pages that browsers do not cache. */
  now?: string;
  /** The coordinates of the delivery address, rounded to about 100 m. */
  door?: Place | null;
  /** The products on sale, and the id of the most ordered one. */
  products: { id: number; name: string; price: number }[];
  usual: number;
  /** The URL of the health check. */
  ready: string;
}

/** The return type of `find` and `findAll`: the tag's element type, or `HTMLElement` for any other selector. */
export type ElementFor<Selector extends string> = Selector extends keyof HTMLElementTagNameMap
  ? HTMLElementTagNameMap[Selector]
  : HTMLElement;
