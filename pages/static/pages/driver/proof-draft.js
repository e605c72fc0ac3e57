/** What was typed of the last proof: a telephone may close the page while its camera takes the photo. */
/** @import { OrderRow } from "types/rows" */
import { readStorage, writeStorage } from "../../web/storage.js";

const KEY = "luckygas:proof";

/** @typedef {{ counts: [number, number][], serials: string[], scanned: string[], amount?: string }} ProofDraft */

/** @param {OrderRow} row */
const nameOf = ({ id, attempt }) => `${id}.${attempt}`;

/**
 * @param {OrderRow} row
 * @param {ProofDraft} draft
 */
export const saveDraft = (row, draft) => writeStorage(KEY, { name: nameOf(row), ...draft });

/**
 * What was typed for this attempt at this order; empty where nothing was.
 * @param {OrderRow} row
 * @returns {ProofDraft}
 */
export function readDraft(row) {
  const stored = readStorage(KEY);
  const draft = /** @type {ProofDraft} */ (/** @type {unknown} */ (stored));
  return stored.name === nameOf(row) ? draft : { counts: [], serials: [], scanned: [] };
}

/** @param {OrderRow} row */
export function deleteDraft(row) {
  if (readStorage(KEY).name === nameOf(row)) writeStorage(KEY, null);
}
