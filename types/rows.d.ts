/** Short names for the API's rows, and the response type of each call. */
import type { components, paths } from "./api";

type Schemas = components["schemas"];

export type OrderStatus = Schemas["OrderStatusEnum"];
export type TimeSlot = Schemas["TimeSlotEnum"];
export type OrderRow = Schemas["OrderOutput"];
export type OrderItem = Schemas["ItemOutput"];
export type MoveResult = Schemas["MoveOutput"];
export type Proof = Schemas["ConfirmationInput"];
export type EventPage = Schemas["EventPage"];
export type ApiProblem = Schemas["Error"];

/** The head of the event log before the rows of a response were read, in the form that `LuckyGasSocket` accepts. */
export interface LogEnd {
  since: string | null;
  epoch: string | null;
}

/** Turns the schema's path “orders/{id}/” into the type of matching paths: `orders/${number}/`. */
type FilledPath<Path> = Path extends `${infer Before}{${string}}${infer After}`
  ? `${Before}${number}${FilledPath<After>}`
  : Path;
type WithoutQuery<Path> = Path extends `${infer Resource}?${string}` ? Resource : Path;
type BodyOf<Operation> = Operation extends {
  responses: { 200: { content: { "application/json": infer Body } } };
}
  ? Body
  : Operation extends { responses: { 201: { content: { "application/json": infer Body } } } }
    ? Body
    : never;

/** The response type of an API call. `Path` is written as in calls of `api.js`. `never` if the schema has no such call. */
export type Answer<Method extends "get" | "post" | "patch", Path extends string> = {
  [Key in keyof paths]: `/api/v1/${WithoutQuery<Path>}` extends FilledPath<Key> ? BodyOf<paths[Key][Method]> : never;
}[keyof paths];

/** The type of the rows in the list at `Path`. */
export type RowOf<Path extends string> = Answer<"get", Path> extends { results: (infer Row)[] } ? Row : never;
