/** What the driver's page stores on the telephone, and its events. */
import type { Moved, OrderRow, OrderStatus, Proof } from "./rows";

/** When a report was made, as far as it was known then. */
export interface ReportTime {
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
export type NewEntry = Report & ReportTime & { ref: string };
/** `n` rises. `refused`: the server will never accept it; `detail` is null where an earlier entry was refused. */
export type Entry = NewEntry & { n: number; refused?: { detail: string | null } };

export interface QueueEvents {
  changed: undefined;
  done: { entry: Entry; data: Moved | OrderRow };
  refused: Entry;
  "sign-in": undefined;
  "other-user": undefined;
}

export interface StopsEvents {
  changed: undefined;
  news: { type: "assigned" | "gone"; row: OrderRow };
  "other-user": undefined;
  "sign-in": undefined;
}

/** What the database of the telephone holds. */
export interface DatabaseRows {
  stops: OrderRow;
  queue: Entry;
}

export interface DatabaseEvents {
  writable: boolean;
  cleared: undefined;
}

/** A stop as the driver sees it: with the status that the newest waiting report will give it. */
export interface Stop {
  row: OrderRow;
  status: OrderStatus;
  isPending: boolean;
  number: number;
}
