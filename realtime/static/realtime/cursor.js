import { readStorage, writeStorage } from "../web/storage.js";

const LAST_USER = "luckygas:user";
/** @param {number} user */
const key = (user) => `luckygas:cursor:${user}`;

/**
 * The id of the user whose connection has these channels; null for the connection of a tracking link.
 * @param {string[]} channels
 */
export function userOf(channels) {
  const own = channels.find((channel) => channel.startsWith("user:"));
  return own ? Number(own.slice(5)) : null;
}

/** @param {unknown} value */
const integer = (value) => (Number.isSafeInteger(value) ? Number(value) : null);

/**
 * The position in the event log: the page has received all its events up to `id` (null if not known yet); `epoch` is its log.
 * With `remember` it is stored for each user, so that their next visit resumes there. A page that gives a `since` starts from that
 * instead.
 */
export class Cursor {
  /** Whether `id` was looked up for `user`, who may be only the last user of this browser. */
  #isGuess = false;

  /** @type {number | null} */
  user;
  /** @type {number | null} */
  id;
  /** @type {string | null} */
  epoch;
  #remembers;

  /** @param {{ since?: unknown, epoch?: string | null, user?: number | string | null, remember: boolean }} start */
  constructor({ since, epoch, user, remember }) {
    this.user = user ? Number(user) : null;
    // Ignores a `since` that is not a number: NaN would make the page reload endlessly.
    this.id = /^\d+$/.test(String(since)) ? Number(since) : null;
    this.epoch = epoch || null;
    this.#remembers = remember;
    // The server sends the user's id only after the client has sent its cursor. Until then, assume the last user.
    if (remember && this.user === null) this.user = integer(readStorage(LAST_USER).id);
    if (this.id === null) this.#restore();
  }

  #restore() {
    const stored = this.#remembers && this.user !== null ? readStorage(key(this.user)) : {};
    this.id = integer(stored.id);
    this.epoch = this.id === null || typeof stored.epoch !== "string" ? null : stored.epoch;
    this.#isGuess = true;
  }

  /**
   * Sets the real user. Returns false if the cursor changed to this user's, so that the client must resume from it.
   * @param {number | null} user
   */
  setUser(user) {
    if (user === this.user || user === null) return true;
    const before = this.id;
    this.user = user;
    if (this.#remembers) writeStorage(LAST_USER, { id: user });
    if (this.#isGuess) this.#restore();
    this.#isGuess = false;
    return this.id === before;
  }

  /**
   * Moves the cursor to the event `id`. Returns false if the page received the event before.
   * @param {number} id
   */
  advance(id) {
    if (this.id !== null && id <= this.id) return false;
    this.id = id;
    this.#isGuess = false;
    this.#save();
    return true;
  }

  /**
   * Moves the cursor to `id`, because the page has received all its events up to there.
   * @param {number} id
   */
  move(id) {
    if (Number.isSafeInteger(id)) this.advance(id);
  }

  /**
   * Restarts at the head `id` of the log `epoch`.
   * @param {number} id
   * @param {string | null} epoch
   */
  reset(id, epoch) {
    this.id = id;
    this.epoch = epoch;
    this.#isGuess = false;
    this.#save();
  }

  #save() {
    if (!this.#remembers || this.user === null) return;
    const stored = readStorage(key(this.user));
    // Another tab may be ahead of this one.
    if (stored.epoch === this.epoch && Number(stored.id) > (this.id ?? 0)) return;
    writeStorage(key(this.user), { id: this.id, epoch: this.epoch });
  }
}
