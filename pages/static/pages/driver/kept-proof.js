/** What was typed of the last proof: a telephone may close the page while its camera takes the photo. */
/** @import { OrderRow } from "types/rows" */
import { keep, kept } from "../../web/kept.js";

const KEY = "luckygas:proof";

/** @typedef {{ counts: [number, number][], serials: string[], scanned: string[], amount?: string }} Typed */

/** @param {OrderRow} row */
const nameOf = ({ id, attempt }) => `${id}.${attempt}`;

/**
 * @param {OrderRow} row
 * @param {Typed} typed
 */
export const keepProof = (row, typed) => keep(KEY, { name: nameOf(row), ...typed });

/**
 * What was typed for this attempt at this order; empty where nothing was.
 * @param {OrderRow} row
 * @returns {Typed}
 */
export function keptProof(row) {
  const last = kept(KEY);
  return last?.name === nameOf(row) ? last : { counts: [], serials: [], scanned: [] };
}

/** @param {OrderRow} row */
export function forgetProof(row) {
  if (kept(KEY)?.name === nameOf(row)) keep(KEY, null);
}
