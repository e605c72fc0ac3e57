/** Repeats requests until the server has answered. */

import { ApiError } from "./api.js";
import { Backoff } from "./backoff.js";
import { watchPage } from "./lifecycle.js";

/** @type {Set<() => void>} */
const paused = new Set();
/** How often `retryNow` was called. */
let wakes = 0;

/**
 * Ends every pause between two tries: the socket is live again, so an answer is likely now. A try that is under way and fails is
 * repeated without a backoff.
 */
export function retryNow() {
  wakes += 1;
  for (const wake of [...paused]) wake();
}

// Timers of hidden pages are slow, those of frozen ones stand still.
watchPage({ online: retryNow, visible: retryNow });

/**
 * Resolves after `leastMs + ms`, or at `retryNow()`; but never within `leastMs`, the wait that the server asked for.
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
 * What `call` promises. While that rejects with a temporary `ApiError`, `failed(error)` is called, and after a backoff `call`
 * again. Rejects with any other error.
 * @template Answer
 * @param {() => Answer | Promise<Answer>} call
 * @param {(error: ApiError) => void} failed
 */
export async function retry(call, failed = () => {}) {
  const backoff = new Backoff();
  for (;;) {
    const before = wakes;
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof ApiError && error.isTemporary)) throw error;
      failed(error);
      await pause(wakes === before ? backoff.next() : 0, error.retryMs);
    }
  }
}

/**
 * Reads what changed, by key, until the server has answered. An event that says only that something changed is lost if the
 * request behind it is not repeated.
 * @template {string | number} Key
 */
export class Refetcher {
  #read;
  #failed;
  /**
   * By key: whether it changed since the last request was sent.
   * @type {Map<Key, boolean>}
   */
  #keys = new Map();

  /**
   * As `call` and `failed` of `retry`.
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
   * Whether it changed since the request was sent: the answer is stale, and another will follow.
   * @param {Key} key
   */
  isStale(key) {
    return Boolean(this.#keys.get(key));
  }

  /**
   * It changed. A request that is under way may have been read before that, and is repeated once.
   * @param {Key} key
   */
  add(key) {
    const isUnderWay = this.#keys.has(key);
    this.#keys.set(key, true);
    if (!isUnderWay) this.#refetch(key);
  }

  /** @param {Key} key */
  async #refetch(key) {
    try {
      while (this.#keys.get(key)) await retry(() => this.#send(key), this.#failed);
    } finally {
      this.#keys.delete(key);
    }
  }

  /** @param {Key} key */
  #send(key) {
    this.#keys.set(key, false);
    return this.#read(key);
  }
}
