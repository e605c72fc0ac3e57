/** The JSON that the server writes into a page (`pages/page_data.py`, and what a view adds). */
import type { OrderStatus, TimeSlot } from "./rows";

export interface Move {
  to: OrderStatus;
  needs_reason: boolean;
  /** What the driver's button says. */
  word?: string;
}

export interface MapSettings {
  tiles?: string;
  attribution?: string;
}

export interface Place {
  latitude: number | null;
  longitude: number | null;
}

/** Each page has the fields that it needs; a page without data has none. */
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
  /** What the server accepts from a driver. */
  limits: { serials: number; serial_length: number; motion: Record<string, [number, number]> };
  time_zone?: string;
  map?: MapSettings;
  /** The server's time, on pages that browsers do not cache. */
  now?: string;
  /** About where the customer lives. */
  door?: Place | null;
  /** The products that can be ordered, and the id of the usual one. */
  products: { id: number; name: string; price: number }[];
  usual: number;
  /** The address of the health check. */
  ready: string;
}

/** What `find` and its like return: the element of a tag; for any other selector an HTML element. */
export type ElementFor<Selector extends string> = Selector extends keyof HTMLElementTagNameMap
  ? HTMLElementTagNameMap[Selector]
  : HTMLElement;
