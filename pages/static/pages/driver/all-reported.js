/**
 * The SMS of a late report waits at the server for a minute, because the next report may make it untrue. This module
 * tells the server that no further report waits here. If that request is lost, the SMS is sent after the minute.
 */
/** @import { Entry } from "types/driver" */
/** @import { Queue } from "./queue.js" */
import { post } from "../../web/api.js";
import { now } from "../../web/server-clock.js";
import { happenedAt } from "./report-time.js";

/** A report is late if it is sent this long after the move. The server's limit is longer, so no late report is missed. */
const LATE_MS = 5_000;

/**
 * Whether the report is late. A report of unknown time is not late: it is sent without a time, so the server treats it as made now.
 * @param {Entry} entry
 */
const isLate = (entry) => now() - (happenedAt(entry) ?? Infinity) > LATE_MS;

/**
 * From now on, calls `notifications/all-reported/` when a late report was sent and no report waits any more. If the call fails,
 * repeats it when the queue changes again. Images do not count, because they cause no SMS.
 * @param {Queue} queue
 */
export function announceAllReported(queue) {
  let isDue = false;
  queue.on("done", ({ entry }) => {
    isDue ||= entry.kind !== "image" && isLate(entry);
  });
  queue.on("changed", async () => {
    if (!isDue || queue.waiting.some(({ kind }) => kind !== "image")) return;
    isDue = false;
    await post("notifications/all-reported/").catch(() => {
      isDue = true;
    });
  });
}
