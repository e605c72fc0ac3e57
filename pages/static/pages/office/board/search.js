/** Finds as one types: at once among what is here, and by the whole telephone number on the server. */
import { ApiError, get } from "../../../web/api.js";
import { debounce } from "../../../web/page.js";
import { retry } from "../../../web/retry.js";

const PAUSE_MS = 150;
const SHORTEST = 2;
const MOST = 100;

export class Search {
  #asked = 0;
  #found;

  /** `found(rows)`: the orders that the server found for what is typed now; null where nothing is asked. */
  constructor(found) {
    this.#found = found;
  }

  /** What is typed now. An answer to what was typed before is dropped. */
  typed(text) {
    this.#found(null);
    this.again(text);
  }

  /** The same once more, where what was found may be another by now. */
  again(text) {
    const mine = ++this.#asked;
    if (text.trim().length >= SHORTEST) this.#ask(text.trim(), mine);
  }

  /** While there is no answer, what is here is searched all the same. */
  #ask = debounce(PAUSE_MS, async (text, mine) => {
    const isWanted = () => mine === this.#asked;
    const rows = await retry(() => (isWanted() ? found(text) : []));
    if (isWanted()) this.#found(rows);
  });
}

async function found(text) {
  try {
    return (await get(`orders/?page_size=${MOST}&q=${encodeURIComponent(text)}`)).results;
  } catch (error) {
    // What the server cannot look for is nowhere.
    if (error instanceof ApiError && !error.isTemporary) return [];
    throw error;
  }
}
