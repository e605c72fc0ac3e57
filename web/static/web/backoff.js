/** Waits before retries, in milliseconds. */

const FIRST_MS = 500;
export const MAX_MS = 30_000;

/** Exponential backoff with full jitter, so that the clients of a failed server do not all reconnect at once. */
export class Backoff {
  #tries = 0;

  /** The wait before the next attempt. */
  next() {
    const ceiling = Math.min(MAX_MS, FIRST_MS * 2 ** this.#tries);
    this.#tries += 1;
    return Math.random() * ceiling;
  }

  reset() {
    this.#tries = 0;
  }
}

/**
 * The wait that a server asks for in seconds (`Retry-After`, `retry_in`): 0 if it names none, at most `mostSeconds`.
 * @param {unknown} seconds
 * @param {number} mostSeconds
 */
export const serverWaitMs = (seconds, mostSeconds) => Math.min(Math.max(Number(seconds) || 0, 0), mostSeconds) * 1000;

/**
 * A random wait between 0.5 and 1.5 times `ms`, so that clients that get the same message do not all act at once.
 * @param {number} ms
 */
export const jitter = (ms) => ms * (0.5 + Math.random());
