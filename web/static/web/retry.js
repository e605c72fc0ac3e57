/** Retries requests after temporary errors. */

import { ApiError } from "./api.js";
import { Backoff } from "./backoff.js";
import { watchPage } from "./lifecycle.js";

/**
 * For each pause between attempts, the function that ends it.
 * @type {Set<() => void>}
 */
const pauses = new Set();
/** How often `retryNow` was called. */
let wakes = 0;

/**
 * Ends all pauses between attempts. Call it when a response is likely, for example after a reconnection. If an attempt that is
 * under way fails, it is retried without a backoff.
 */
export function retryNow() {
  wakes += 1;
  for (const wake of [...pauses]) wake();
}

// The browser slows down the timers of hidden pages and stops those of frozen pages, so a page retries when it is shown again.
watchPage({ online: retryNow, visible: retryNow });

/**
 * Resolves after `minMs + ms`, or sooner at `retryNow()`, but never before `minMs`, the wait that the server asked for.
 * @param {number} ms
 * @param {number} minMs
 * @returns {Promise<void>}
 */
function pause(ms, minMs) {
  const notBefore = performance.now() + minMs;
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      const left = notBefore - performance.now();
      if (left > 0) {
        timer = setTimeout(wake, left);
        return;
      }
      pauses.delete(wake);
      resolve();
    };
    let timer = setTimeout(wake, minMs + ms);
    pauses.add(wake);
  });
}

/**
 * Resolves with the result of `call`. After a temporary `ApiError` it calls `failed(error)`, and retries `call` after a backoff.
 * Rejects with any other error.
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
 * Reads changed objects by key, with retries after temporary errors. Without retries the change would be lost, because an event
 * does not contain the new object.
 * @template {string | number} Key
 */
export class Refetcher {
  #read;
  #failed;
  /**
   * For each key with a request under way: whether the key changed since that request was sent.
   * @type {Map<Key, boolean>}
   */
  #keys = new Map();

  /**
   * `read` and `failed` are the arguments `call` and `failed` of `retry`.
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
   * Whether the key changed since the request was sent. Its response is then stale, and another request follows.
   * @param {Key} key
   */
  isStale(key) {
    return Boolean(this.#keys.get(key));
  }

  /**
   * Call it when the key changed. A request under way is repeated once, because the server may have read the old state.
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
