/** The data that the driver's page stores on the phone, and its events. */
import type { Moved, OrderRow, OrderStatus, Proof } from "./rows";

/** The time data stored with a report when it is made (`report-time.js`). */
export interface ReportTime {
  /** The phone's clock, in milliseconds since 1970. */
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
/** `n` increases. `refused`: the server will never accept the entry; `detail` is null if an earlier entry was refused. */
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

/** The row type of each store of the phone's database. */
export interface DatabaseRows {
  stops: OrderRow;
  queue: Entry;
}

export interface DatabaseEvents {
  writable: boolean;
  cleared: undefined;
}

/** A stop as the driver sees it, with the status of the latest waiting report. */
export interface Stop {
  row: OrderRow;
  status: OrderStatus;
  isPending: boolean;
  number: number;
}
