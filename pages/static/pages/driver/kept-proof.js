/** What was typed of the last proof: a telephone may close the page while its camera takes the photo. */
const KEY = "luckygas:proof";

const nameOf = ({ id, attempt }) => `${id}.${attempt}`;

/** Local storage may be forbidden or full: then the form works all the same, and begins anew. */
function insist(work) {
  try {
    return work();
  } catch {
    return null;
  }
}

export function keepProof({ row, counts, serials, scanned, isOwnAmount }, amount) {
  const typed = { counts: [...counts], serials, scanned: [...scanned], ...(isOwnAmount && { amount }) };
  insist(() => localStorage.setItem(KEY, JSON.stringify({ name: nameOf(row), ...typed })));
}

/** What was typed for this attempt at this order, `{counts, serials, scanned, amount?}`; empty where nothing was. */
export function keptProof(row) {
  const kept = insist(() => JSON.parse(localStorage.getItem(KEY)));
  return kept?.name === nameOf(row) ? kept : { counts: [], serials: [], scanned: [] };
}

export function forgetProof(row) {
  const kept = insist(() => JSON.parse(localStorage.getItem(KEY)));
  if (kept?.name === nameOf(row)) insist(() => localStorage.removeItem(KEY));
}
