/** When a report was made, by the server's clock. */
/** @import { ReportTime } from "types/driver" */
import { clockOffset, earliestNow, now } from "../../web/server-clock.js";

/** The precision of the server times in responses and frames. */
const TOLERANCE_MS = 2_000;

/**
 * The time data to store with a new report. The phone's clock may be corrected before the report is sent.
 * @returns {ReportTime}
 */
export const reportTime = () => ({ at: Date.now(), offsetMs: clockOffset(), notBefore: earliestNow() });

/**
 * When the report was made, in milliseconds since 1970. Uses the clock offset stored with the report. Uses the current offset if
 * none was stored, or if the result is impossible (before `notBefore`, or after now): the phone's clock was then set in between.
 * If both times are before `notBefore`, returns the first. Returns null if no offset is known, or if all times are after now.
 * @param {Partial<ReportTime> & Pick<ReportTime, "at">} time
 */
export function happenedAt({ at, offsetMs = null, notBefore = -Infinity }) {
  const times = [offsetMs, clockOffset()].filter((offset) => offset !== null).map((offset) => at + offset);
  const possible = times.filter((time) => time <= now() + TOLERANCE_MS);
  return possible.find((time) => time >= notBefore - TOLERANCE_MS) ?? possible[0] ?? null;
}
