/** A finger that pressed twice meant once: below it stands another button by now. */

const DOUBLE_MS = 600;
let at = -DOUBLE_MS;

/** What is below the finger has just changed. */
export function tapped() {
  at = performance.now();
}

/** @param {Event} event */
export const isSecondTap = ({ timeStamp }) => timeStamp - at < DOUBLE_MS;
