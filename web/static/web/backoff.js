export const FIRST_MS = 500;
export const MOST_MS = 30_000;
/** A link that held for so long was a good one: the next loss begins at FIRST_MS again. */
export const STABLE_MS = 10_000;

/** Exponential with full jitter, so that a thousand clients of a server that died do not come back at once. */
export class Backoff {
  #tries = 0;

  /** Milliseconds to wait before the next try. */
  next() {
    const ceiling = Math.min(MOST_MS, FIRST_MS * 2 ** this.#tries);
    this.#tries += 1;
    return Math.random() * ceiling;
  }

  reset() {
    this.#tries = 0;
  }
}

const MOST_RESTART_SECONDS = 60;

/**
 * The wait the server asked for, in milliseconds; whatever it says, it is one.
 * @param {unknown} seconds
 */
export function restartMs(seconds) {
  return Math.min(Math.max(Number(seconds) || 0, 0), MOST_RESTART_SECONDS) * 1000;
}

/**
 * From half of `ms` to one and a half: what all clients were told at once, they do not all do at once.
 * @param {number} ms
 */
export function about(ms) {
  return ms * (0.5 + Math.random());
}
