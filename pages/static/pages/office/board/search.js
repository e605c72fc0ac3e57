/** Searches while the clerk types: the board at once, the server (by whole telephone numbers too) after a pause. */
import { getOrNull } from "../../../web/api.js";
import { debounce } from "../../../web/page.js";
import { retry } from "../../../web/retry.js";

const PAUSE_MS = 150;
const SHORTEST = 2;
const MOST = 100;

export class Search {
  #asked = 0;
  #found;

  /** `found(rows)`: the orders that the server found for the current text; null while there is no answer. */
  constructor(found) {
    this.#found = found;
  }

  /** The text has changed: an answer for the text before is dropped. */
  typed(text) {
    this.#found(null);
    this.again(text);
  }

  /** Searches the same text again: orders have changed. */
  again(text) {
    const mine = ++this.#asked;
    if (text.trim().length >= SHORTEST) this.#ask(text.trim(), mine);
  }

  #ask = debounce(PAUSE_MS, async (text, mine) => {
    const isWanted = () => mine === this.#asked;
    const rows = await retry(() => (isWanted() ? found(text) : []));
    if (isWanted()) this.#found(rows);
  });
}

/** Nothing where the server refuses the text. */
async function found(text) {
  return (await getOrNull(`orders/?page_size=${MOST}&q=${encodeURIComponent(text)}`))?.results ?? [];
}
