/**
 * The SMS of a late report waits at the server for a minute, because the next report may make it untrue. This tells the server
 * that no further report waits here. If the message is lost, the SMS is sent after the minute.
 */
/** @import { Entry } from "types/driver" */
/** @import { Queue } from "./queue.js" */
import { post } from "../../web/api.js";
import { now } from "../../web/server-clock.js";
import { happenedAt } from "./report-time.js";

/** A report that is sent sooner is no late one to the server either. */
const LATE_MS = 5_000;

/**
 * A report whose time is not known is sent without it, and counts as made now.
 * @param {Entry} entry
 */
const isLate = (entry) => now() - (happenedAt(entry) ?? Infinity) > LATE_MS;

/**
 * Images do not count: they cause no SMS.
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
