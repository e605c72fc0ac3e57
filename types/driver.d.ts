/** What the driver's page keeps on the telephone. */
import type { Moved, OrderRow, OrderStatus, Proof } from "./rows";

/** When something was done, by what was known then. */
export interface Moment {
  /** By the clock of the telephone. */
  at: number;
  offsetMs: number | null;
  notBefore: number;
}

interface OfOrder {
  order: number;
  number: string;
}

export interface StatusReport extends OfOrder {
  kind: "status";
  to: OrderStatus;
  reason: string;
}

export type ProofBody = Proof & Required<Pick<Proof, "amount_collected" | "cylinder_serials">>;

export interface DeliveryReport extends OfOrder {
  kind: "delivery";
  to: OrderStatus;
  body: ProofBody;
}

export interface ProofImage {
  image: "photo" | "signature";
  blob: Blob;
}

export interface ImageReport extends OfOrder, ProofImage {
  kind: "image";
  to?: undefined;
}

export type Report = StatusReport | DeliveryReport | ImageReport;
export type Made = Report & Moment & { ref: string };
/** `n` rises. `refused`: the server will never do it; without a `detail` because of another that it refused. */
export type Entry = Made & { n: number; refused?: { detail: string | null } };

export interface QueueEvents {
  changed: undefined;
  done: { entry: Entry; data: Moved | OrderRow };
  refused: Entry;
  "sign-in": undefined;
  stranger: undefined;
  sent: undefined;
}

export interface StopsEvents {
  changed: undefined;
  news: { type: "assigned" | "gone"; row: OrderRow };
  stranger: undefined;
  "sign-in": undefined;
}

/** What the database of the telephone holds. */
export interface StoreRows {
  stops: OrderRow;
  queue: Entry;
}

export interface StoreEvents {
  keeping: boolean;
  emptied: undefined;
}

/** A stop as the driver sees it: with the status that the newest waiting report will give it. */
export interface Stop {
  row: OrderRow;
  status: OrderStatus;
  isPending: boolean;
  number: number;
}
