/** Searches while the clerk types: on the board at once, on the server (also by full phone numbers) after a pause. */
import { getOrNull } from "../../../web/api.js";
import { debounce } from "../../../web/page.js";
import { retry } from "../../../web/retry.js";

const PAUSE_MS = 150;
const SHORTEST = 2;
const MOST = 100;

export class Search {
  #asked = 0;
  #found;

  /** `found(rows)` gets the orders that the server found for the current text; null while there is no response. */
  constructor(found) {
    this.#found = found;
  }

  /** Call it when the text changes. Responses for the previous text are dropped. */
  typed(text) {
    this.#found(null);
    this.again(text);
  }

  /** Searches the same text again, after orders have changed. */
  again(text) {
    const mine = ++this.#asked;
    if (text.trim().length >= SHORTEST) this.#ask(text.trim(), mine);
  }

  #ask = debounce(PAUSE_MS, async (text, mine) => {
    const isWanted = () => mine === this.#asked;
    const rows = await retry(() => (isWanted() ? searchOrders(text) : []));
    if (isWanted()) this.#found(rows);
  });
}

/** The matching orders; none if the server refuses the text. */
async function searchOrders(text) {
  return (await getOrNull(`orders/?page_size=${MOST}&q=${encodeURIComponent(text)}`))?.results ?? [];
}
