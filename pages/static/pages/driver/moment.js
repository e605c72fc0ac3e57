/** When a report was made, by the server's clock. */
/** @import { Moment } from "types/driver" */
import { clockOffset, earliestNow, now } from "../../web/server-clock.js";

/** Answers and frames say the time no more exactly. */
const SLACK_MS = 2_000;

/**
 * What to keep of this moment: the clock of the telephone may be corrected before the report is sent.
 * @returns {Moment}
 */
export const moment = () => ({ at: Date.now(), offsetMs: clockOffset(), notBefore: earliestNow() });

/**
 * Milliseconds since 1970; null where it cannot be known. By the clockOffset that was known then; by today's where none was, or
 * where it leads to a moment before the server was heard last, or after now: then the clock was set meanwhile.
 * @param {Partial<Moment> & Pick<Moment, "at">} moment
 */
export function happenedAt({ at, offsetMs = null, notBefore = -Infinity }) {
  const readings = [offsetMs, clockOffset()].filter((known) => known !== null).map((known) => at + known);
  const possible = readings.filter((reading) => reading <= now() + SLACK_MS);
  return possible.find((reading) => reading >= notBefore - SLACK_MS) ?? possible[0] ?? null;
}
