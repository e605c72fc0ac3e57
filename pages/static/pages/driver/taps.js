/** Detects the second press of a double tap, which could hit another button. */

/** A press within this time after a change of the page is the second one of a double tap. */
const DOUBLE_MS = 600;
let changedAt = -DOUBLE_MS;

/** Records that the buttons under the finger have just changed. */
export function recordPageChange() {
  changedAt = performance.now();
}

/** @param {Event} event */
export const isSecondTap = ({ timeStamp }) => timeStamp - changedAt < DOUBLE_MS;
