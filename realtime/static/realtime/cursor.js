const LAST_USER = "luckygas:user";
const key = (user) => `luckygas:cursor:${user}`;

/** Local storage may be forbidden or full; then this visit begins at now, and nothing else is lost. */
function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}

function write(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // see read()
  }
}

/** The id of the user whose connection has these channels; null for the link from an SMS. */
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

  constructor({ since, epoch, user, remember }) {
    this.user = user;
    // A page that has no number to give begins as if it gave none; `NaN` would have it reload for ever.
    this.id = /^\d+$/.test(since) ? Number(since) : null;
    this.epoch = epoch || null;
    this.remember = remember;
    // Who it is, the server says only after we said where to resume; usually it is who it was the last time.
    if (remember && this.user === null) this.user = read(LAST_USER);
    if (this.id === null) this.#recall();
  }

  #recall() {
    const kept = this.remember && this.user !== null ? read(key(this.user)) : null;
    this.id = Number.isSafeInteger(kept?.id) ? kept.id : null;
    this.epoch = this.id === null ? null : (kept.epoch ?? null);
    this.#isGuess = true;
  }

  /** Who it really is. False if we guessed wrong: the position is now where they left off, and to be resumed from. */
  claim(user) {
    if (user === this.user || user === null) return true;
    const before = this.id;
    this.user = user;
    if (this.remember) write(LAST_USER, user);
    if (this.#isGuess) this.#recall();
    this.#isGuess = false;
    return this.id === before;
  }

  /** Whether the event `id` is news, which moves the cursor there; what was told already is not. */
  take(id) {
    if (this.id !== null && id <= this.id) return false;
    this.id = id;
    this.#isGuess = false;
    this.#keep();
    return true;
  }

  /** All up to `id` was told, as far as it concerns this page. */
  move(id) {
    if (Number.isSafeInteger(id)) this.take(id);
  }

  /** Begins anew, at the end of a log. */
  reset(id, epoch) {
    this.id = id;
    this.epoch = epoch;
    this.#isGuess = false;
    this.#keep();
  }

  #keep() {
    if (!this.remember || this.user === null) return;
    const kept = read(key(this.user));
    // Another tab may be further than this one.
    if (kept?.epoch === this.epoch && kept.id > this.id) return;
    write(key(this.user), { id: this.id, epoch: this.epoch });
  }
}
