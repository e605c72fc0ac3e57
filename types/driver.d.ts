/** The data that the driver's page stores on the phone, and the events of the page's modules. */
import type { MoveResult, OrderRow, OrderStatus, Proof } from "./rows";

/** The time data stored with a report when the driver makes it (`report-time.js`). All in milliseconds. */
export interface ReportTime {
  /** The phone's clock, since 1970. */
  at: number;
  /** What to add to the phone's clock to get the server's time; null if it was not known. */
  offsetMs: number | null;
  /** The earliest possible time by the server's clock, since 1970. */
  notBefore: number;
}

interface OrderReference {
  order: number;
  number: string;
}

export interface StatusReport extends OrderReference {
  kind: "status";
  to: OrderStatus;
  reason: string;
}

export type ProofBody = Proof & Required<Pick<Proof, "amount_collected" | "cylinder_serials">>;

export interface DeliveryReport extends OrderReference {
  kind: "delivery";
  to: OrderStatus;
  body: ProofBody;
}

export interface ProofImage {
  image: "photo" | "signature";
  blob: Blob;
}

export interface ImageReport extends OrderReference, ProofImage {
  kind: "image";
  to?: undefined;
}

export type Report = StatusReport | DeliveryReport | ImageReport;
export type NewEntry = Report & ReportTime & { ref: string };
/**
 * A report in the queue. `n` increases from entry to entry. `refused`: the server will never accept the entry; `detail` is null if
 * the reason is that an earlier entry was refused.
 */
export type Entry = NewEntry & { n: number; refused?: { detail: string | null } };

export interface QueueEvents {
  changed: undefined;
  done: { entry: Entry; data: MoveResult | OrderRow };
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

/** A stop as the page shows it. `status` is the one that the latest waiting report sets; if none sets one, the row's. */
export interface Stop {
  row: OrderRow;
  status: OrderStatus;
  isPending: boolean;
  number: number;
}
