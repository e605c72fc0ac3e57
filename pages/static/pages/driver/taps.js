/** Ignores the second press of a double tap: another button stands under the finger by then. */

const DOUBLE_MS = 600;
let at = -DOUBLE_MS;

/** The page has just changed under the finger. */
export function pageChanged() {
  at = performance.now();
}

/** @param {Event} event */
export const isSecondTap = ({ timeStamp }) => timeStamp - at < DOUBLE_MS;
