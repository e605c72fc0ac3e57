import { keep, kept } from "../web/kept.js";

const LAST_USER = "luckygas:user";
/** @param {number} user */
const key = (user) => `luckygas:cursor:${user}`;

/**
 * The id of the user whose connection has these channels; null for the link from an SMS.
 * @param {string[]} channels
 */
export function userOf(channels) {
  const own = channels.find((channel) => channel.startsWith("user:"));
  return own ? Number(own.slice(5)) : null;
}

/**
 * Up to where the log was told to this page: `id` (null: not known yet) in the log `epoch`. Kept a user, so that what
 * comes for them while they are away is told on their next visit; a page that names its own `since` begins there.
 */
export class Cursor {
  #isGuess = false;

  /** @type {number | null} */
  user;
  /** @type {number | null} */
  id;
  /** @type {string | null} */
  epoch;
  #remembers;

  /** @param {{ since?: unknown, epoch?: string | null, user?: number | string | null, remember: boolean }} begins */
  constructor({ since, epoch, user, remember }) {
    this.user = user ? Number(user) : null;
    // A page that has no number to give begins as if it gave none; `NaN` would have it reload for ever.
    this.id = /^\d+$/.test(String(since)) ? Number(since) : null;
    this.epoch = epoch || null;
    this.#remembers = remember;
    // Who it is, the server says only after we said where to resume; usually it is who it was the last time.
    if (remember && this.user === null) this.user = kept(LAST_USER);
    if (this.id === null) this.#recall();
  }

  #recall() {
    const last = this.#remembers && this.user !== null ? kept(key(this.user)) : null;
    this.id = Number.isSafeInteger(last?.id) ? last.id : null;
    this.epoch = this.id === null ? null : (last.epoch ?? null);
    this.#isGuess = true;
  }

  /**
   * Who it really is. False if we guessed wrong: the position is now where they left off, and to be resumed from.
   * @param {number | null} user
   */
  claim(user) {
    if (user === this.user || user === null) return true;
    const before = this.id;
    this.user = user;
    if (this.#remembers) keep(LAST_USER, user);
    if (this.#isGuess) this.#recall();
    this.#isGuess = false;
    return this.id === before;
  }

  /**
   * Whether the event `id` is news, which moves the cursor there; what was told already is not.
   * @param {number} id
   */
  take(id) {
    if (this.id !== null && id <= this.id) return false;
    this.id = id;
    this.#isGuess = false;
    this.#keep();
    return true;
  }

  /**
   * All up to `id` was told, as far as it concerns this page.
   * @param {number} id
   */
  move(id) {
    if (Number.isSafeInteger(id)) this.take(id);
  }

  /**
   * Begins anew, at the end of a log.
   * @param {number} id
   * @param {string | null} epoch
   */
  reset(id, epoch) {
    this.id = id;
    this.epoch = epoch;
    this.#isGuess = false;
    this.#keep();
  }

  #keep() {
    if (!this.#remembers || this.user === null) return;
    const last = kept(key(this.user));
    // Another tab may be further than this one.
    if (last?.epoch === this.epoch && last.id > (this.id ?? 0)) return;
    keep(key(this.user), { id: this.id, epoch: this.epoch });
  }
}
