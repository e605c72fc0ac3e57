/** Waits before retries, in milliseconds. */

const FIRST_MS = 500;
export const MAX_MS = 30_000;

/** Exponential backoff with full jitter, which spreads the reconnections of a failed server's clients over time. */
export class Backoff {
  #tries = 0;

  /** A random wait before the next attempt. Its upper limit doubles with each call, up to MAX_MS. */
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
 * Converts the wait that a server asks for in seconds (`Retry-After`, `retry_in`). At most `maxSeconds`; 0 without a valid number.
 * @param {unknown} seconds
 * @param {number} maxSeconds
 */
export const serverWaitMs = (seconds, maxSeconds) => Math.min(Math.max(Number(seconds) || 0, 0), maxSeconds) * 1000;

/**
 * A random wait between 0.5 and 1.5 times `ms`. It spreads the actions of clients that get the same message over time.
 * @param {number} ms
 */
export const jitter = (ms) => ms * (0.5 + Math.random());
