/** How long to wait before trying again. All times are milliseconds. */

const FIRST_MS = 500;
export const MOST_MS = 30_000;

/** Exponential with full jitter, so that a thousand clients of a server that died do not come back at once. */
export class Backoff {
  #tries = 0;

  /** The wait before the next try. */
  next() {
    const ceiling = Math.min(MOST_MS, FIRST_MS * 2 ** this.#tries);
    this.#tries += 1;
    return Math.random() * ceiling;
  }

  reset() {
    this.#tries = 0;
  }
}

/**
 * The wait that a server asks for in seconds (`Retry-After`, `retry_in`): 0 where it names none, and never longer than
 * `mostSeconds`.
 * @param {unknown} seconds
 * @param {number} mostSeconds
 */
export const serverWaitMs = (seconds, mostSeconds) => Math.min(Math.max(Number(seconds) || 0, 0), mostSeconds) * 1000;

/**
 * From half of `ms` to one and a half: clients that are told the same thing at once do not act at once.
 * @param {number} ms
 */
export const jitter = (ms) => ms * (0.5 + Math.random());
