/**
 * The message of a late report waits at the server, because the next report may make it untrue. This says that there is no
 * next one; where it is lost, the server waits for a minute.
 */
/** @import { Entry } from "types/driver" */
/** @import { Queue } from "./queue.js" */
import { post } from "../../web/api.js";
import { now } from "../../web/server-clock.js";
import { happenedAt } from "./moment.js";

/** What is sent sooner is no late report to the server either. */
const LATE_MS = 5_000;

/**
 * One whose time is not known is sent without it, and counts as made now.
 * @param {Entry} entry
 */
const isLate = (entry) => now() - (happenedAt(entry) ?? Infinity) > LATE_MS;

/**
 * Follows what `queue` sends; images tell the customer nothing.
 * @param {Queue} queue
 */
export function tellTheEnd(queue) {
  let isOwed = false;
  queue.on("done", ({ entry }) => {
    isOwed ||= entry.kind !== "image" && isLate(entry);
  });
  queue.on("changed", async () => {
    if (!isOwed || queue.waiting.some(({ kind }) => kind !== "image")) return;
    isOwed = false;
    await post("notifications/all-reported/").catch(() => {
      isOwed = true;
    });
  });
}
