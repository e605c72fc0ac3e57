/** A Web Lock that lets only one of a driver's tabs work. Another tab steals the lock if the working tab's heartbeats stop. */

/** How often the working tab sends a heartbeat. */
const HEARTBEAT_MS = 3_000;
/** A tab without a heartbeat for this long is frozen or hangs, and another tab steals the lock. */
const SILENT_MS = 10_000;

export class TabLock {
  #name;
  #others;
  #lastHeartbeat = 0;

  /** @param {string} name */
  constructor(name) {
    this.#name = name;
    this.#others = new BroadcastChannel(`${name}-alive`);
    this.#others.onmessage = () => (this.#lastHeartbeat = performance.now());
  }

  /**
   * Runs `work(isOurs)` under the lock and resolves with its result, or with undefined if another tab stole the lock first.
   * `isOurs()` tells whether this tab still has the lock. In browsers without locks every tab works.
   * @template Answer
   * @param {(isOurs: () => boolean) => Promise<Answer>} work
   * @returns {Promise<Answer | undefined>}
   */
  async run(work) {
    if (!navigator.locks) return work(() => true);
    const patience = new AbortController();
    this.#lastHeartbeat = performance.now();
    const watch = setInterval(
      () => performance.now() - this.#lastHeartbeat > SILENT_MS && patience.abort(),
      HEARTBEAT_MS / 3,
    );
    let isOurs = false;
    const workUnderLock = () => {
      clearInterval(watch);
      isOurs = true;
      return this.#withHeartbeats(() => work(() => isOurs));
    };
    try {
      return await navigator.locks.request(this.#name, { signal: patience.signal }, workUnderLock);
    } catch (error) {
      rethrowUnlessAborted(error);
      return isOurs
        ? undefined
        : await navigator.locks.request(this.#name, { steal: true }, workUnderLock).catch(rethrowUnlessAborted);
    } finally {
      clearInterval(watch);
      isOurs = false;
    }
  }

  /**
   * @template Answer
   * @param {() => Promise<Answer>} work
   */
  async #withHeartbeats(work) {
    const timer = setInterval(() => this.#others.postMessage(null), HEARTBEAT_MS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
    }
  }
}

/**
 * Rethrows the error, unless the lock was stolen or the request for it aborted.
 * @param {unknown} error
 * @returns {undefined}
 */
function rethrowUnlessAborted(error) {
  if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
}
