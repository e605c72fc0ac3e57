/** Stores the input of the unfinished proof form except images: a phone may close the page while its camera takes a photo. */
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
 * The stored input for this attempt of this order; empty if there is none.
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
