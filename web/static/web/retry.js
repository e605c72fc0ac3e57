/**
 * Asks again what the server did not answer. An event that only points at the truth counts as taken when the truth was
 * read; until then it is remembered here.
 */

import { ApiError } from "./api.js";
import { Backoff } from "./backoff.js";
import { watch } from "./wakes.js";

/** @type {Set<() => void>} */
const paused = new Set();

/** An answer is likely now, because the socket is live again: whatever waits is asked for at once. */
export function hurry() {
  for (const wake of [...paused]) wake();
}

// Timers of hidden pages are slow, those of frozen ones stand still.
watch({ online: hurry, offline: () => {}, seen: hurry });

/**
 * Resolves after `ms`, or at `hurry()`; but not within `leastMs`, for which the server wants to be left alone.
 * @param {number} ms
 * @param {number} leastMs
 * @returns {Promise<void>}
 */
function pause(ms, leastMs) {
  const notBefore = performance.now() + leastMs;
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      const left = notBefore - performance.now();
      if (left > 0) {
        timer = setTimeout(wake, left);
        return;
      }
      paused.delete(wake);
      resolve();
    };
    let timer = setTimeout(wake, leastMs + ms);
    paused.add(wake);
  });
}

/**
 * What `call` promises, asked again with a backoff while it rejects with an `ApiError` that may pass. `failed(error)` hears
 * of each of these. Rejects with any other error.
 * @template Answer
 * @param {() => Answer | Promise<Answer>} call
 * @param {(error: ApiError) => void} failed
 */
export async function insist(call, failed = () => {}) {
  const backoff = new Backoff();
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof ApiError && error.mayPass)) throw error;
      failed(error);
      await pause(backoff.next(), error.retryMs);
    }
  }
}

/**
 * What changed and is still to be read, each by its key.
 * @template {string | number} Key
 */
export class Unread {
  #read;
  #failed;
  /**
   * By key: whether it changed since it was last asked for.
   * @type {Map<Key, boolean>}
   */
  #keys = new Map();

  /**
   * As `call` and `failed` of `insist`.
   * @param {(key: Key) => unknown} read
   * @param {(error: ApiError) => void} [failed]
   */
  constructor(read, failed) {
    this.#read = read;
    this.#failed = failed;
  }

  /** @param {Key} key */
  has(key) {
    return this.#keys.has(key);
  }

  /**
   * Whether it changed since it was last asked for: the answer is an old one, and another is to come.
   * @param {Key} key
   */
  isOld(key) {
    return Boolean(this.#keys.get(key));
  }

  /**
   * It changed. What is under way may have been read before that, and is read once more.
   * @param {Key} key
   */
  add(key) {
    const isUnderWay = this.#keys.has(key);
    this.#keys.set(key, true);
    if (!isUnderWay) this.#insist(key);
  }

  /** @param {Key} key */
  async #insist(key) {
    try {
      while (this.#keys.get(key)) await insist(() => this.#ask(key), this.#failed);
    } finally {
      this.#keys.delete(key);
    }
  }

  /** @param {Key} key */
  #ask(key) {
    this.#keys.set(key, false);
    return this.#read(key);
  }
}
