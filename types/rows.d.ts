/** The rows of the API by short names. */
import type { components } from "./api";

type Schemas = components["schemas"];

export type OrderStatus = Schemas["OrderStatusEnum"];
export type TimeSlot = Schemas["TimeSlotEnum"];
export type OrderRow = Schemas["OrderOutput"];
export type OrderItem = Schemas["ItemOutput"];
export type Moved = Schemas["MoveOutput"];
export type Proof = Schemas["ConfirmationInput"];
export type EventPage = Schemas["EventPage"];
export type ApiProblem = Schemas["Error"];

/** A page of a list. */
export interface Listed<Row> {
  results: Row[];
  next: string | null;
}

/** The end of the log of events before an answer was read, as `LuckyGasSocket` takes it. */
export interface LogEnd {
  since: string | null;
  epoch: string | null;
}
