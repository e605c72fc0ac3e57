/** Detects the second press of a double tap, which could hit another button. */

const DOUBLE_MS = 600;
let at = -DOUBLE_MS;

/** Records that the buttons under the finger have just changed. */
export function pageChanged() {
  at = performance.now();
}

/** @param {Event} event */
export const isSecondTap = ({ timeStamp }) => timeStamp - at < DOUBLE_MS;
