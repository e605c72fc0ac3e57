/** When a report was made, by the server's clock. */
/** @import { ReportTime } from "types/driver" */
import { clockOffset, earliestNow, now } from "../../web/server-clock.js";

/** Answers and frames carry the time no more exactly. */
const TOLERANCE_MS = 2_000;

/**
 * What to store with a report that is made now: the clock of the telephone may be corrected before the report is sent.
 * @returns {ReportTime}
 */
export const reportTime = () => ({ at: Date.now(), offsetMs: clockOffset(), notBefore: earliestNow() });

/**
 * Milliseconds since 1970; null where it cannot be known. Uses the offset of then; or that of today if there was none, or if the
 * result is impossible (before the last time from the server, or after now): then the clock was set meanwhile.
 * @param {Partial<ReportTime> & Pick<ReportTime, "at">} time
 */
export function happenedAt({ at, offsetMs = null, notBefore = -Infinity }) {
  const times = [offsetMs, clockOffset()].filter((offset) => offset !== null).map((offset) => at + offset);
  const possible = times.filter((time) => time <= now() + TOLERANCE_MS);
  return possible.find((time) => time >= notBefore - TOLERANCE_MS) ?? possible[0] ?? null;
}
