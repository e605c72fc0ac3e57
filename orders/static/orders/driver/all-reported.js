/**
 * The message of a late report waits at the server, because the next report may make it untrue. This says that there is no
 * next one; where it is lost, the server waits for a minute.
 */
import { post } from "../api.js";

/** What is sent sooner is no late report to the server either. */
const LATE_MS = 5_000;

/** Follows what `queue` sends; images tell the customer nothing. */
export function tellTheEnd(queue) {
  let isOwed = false;
  queue.on("done", ({ entry }) => {
    isOwed ||= entry.kind !== "image" && Date.now() - entry.at > LATE_MS;
  });
  queue.on("changed", async () => {
    if (!isOwed || queue.waiting.some(({ kind }) => kind !== "image")) return;
    isOwed = false;
    await post("notifications/all-reported/").catch(() => {
      isOwed = true;
    });
  });
}
