/** Searches while the clerk types: on the board at once, on the server (also by full phone numbers) after a pause. */
import { getOrNull } from "../../../web/api.js";
import { debounce } from "../../../web/page.js";
import { retry } from "../../../web/retry.js";

const PAUSE_MS = 150;
/** Shorter texts are searched only on the board. */
const MIN_LENGTH = 2;
const MAX_RESULTS = 100;

export class Search {
  #searches = 0;
  #onFound;

  /** `onFound(rows)` is called with the orders that the server found for the current text, and with null when the text changes. */
  constructor(onFound) {
    this.#onFound = onFound;
  }

  /** Call it when the text changes. Responses for the previous text are dropped. */
  typed(text) {
    this.#onFound(null);
    this.repeat(text);
  }

  /** Searches the same text again, after orders have changed. */
  repeat(text) {
    const search = ++this.#searches;
    if (text.trim().length >= MIN_LENGTH) this.#searchSoon(text.trim(), search);
  }

  #searchSoon = debounce(PAUSE_MS, async (text, search) => {
    const isWanted = () => search === this.#searches;
    const rows = await retry(() => (isWanted() ? searchOrders(text) : []));
    if (isWanted()) this.#onFound(rows);
  });
}

/** The matching orders; none if the server refuses the text. */
async function searchOrders(text) {
  return (await getOrNull(`orders/?page_size=${MAX_RESULTS}&q=${encodeURIComponent(text)}`))?.results ?? [];
}
