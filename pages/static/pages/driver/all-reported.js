/**
 * The SMS of a late report waits at the server for a minute, because the next report may make it untrue. This tells the server
 * that no further report waits here. If the message is lost, the SMS is sent after the minute.
 */
/** @import { Entry } from "types/driver" */
/** @import { Queue } from "./queue.js" */
import { post } from "../../web/api.js";
import { now } from "../../web/server-clock.js";
import { happenedAt } from "./report-time.js";

/** The server, too, treats a report as late only after this time. */
const LATE_MS = 5_000;

/**
 * A report of unknown time is sent without a time, so the server takes it as made now.
 * @param {Entry} entry
 */
const isLate = (entry) => now() - (happenedAt(entry) ?? Infinity) > LATE_MS;

/**
 * Calls the API once no status report waits after a late one. Images are ignored, because they cause no SMS.
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
