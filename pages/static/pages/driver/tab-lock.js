/** A Web Lock that lets only one of a driver's tabs work. Other tabs steal the lock if its heartbeats stop. */

/** How often the working tab sends a heartbeat. */
const ALIVE_MS = 3_000;
/** A tab without a heartbeat for this long is frozen or hangs, and another tab steals the lock. */
const SILENT_MS = 10_000;

export class TabLock {
  #name;
  #others;
  #heardAt = 0;

  /** @param {string} name */
  constructor(name) {
    this.#name = name;
    this.#others = new BroadcastChannel(`${name}-alive`);
    this.#others.onmessage = () => (this.#heardAt = performance.now());
  }

  /**
   * Runs `work(isOurs)` under the lock and resolves with its result; undefined if another tab stole the lock meanwhile. `isOurs()`
   * tells whether this tab still has it. In browsers without locks every tab works.
   * @template Answer
   * @param {(isOurs: () => boolean) => Promise<Answer>} work
   * @returns {Promise<Answer | undefined>}
   */
  async run(work) {
    if (!navigator.locks) return work(() => true);
    const patience = new AbortController();
    this.#heardAt = performance.now();
    const watch = setInterval(() => performance.now() - this.#heardAt > SILENT_MS && patience.abort(), ALIVE_MS / 3);
    let isOurs = false;
    const held = () => {
      clearInterval(watch);
      isOurs = true;
      return this.#whileAlive(() => work(() => isOurs));
    };
    try {
      return await navigator.locks.request(this.#name, { signal: patience.signal }, held);
    } catch (error) {
      unlessAborted(error);
      return isOurs ? undefined : await navigator.locks.request(this.#name, { steal: true }, held).catch(unlessAborted);
    } finally {
      clearInterval(watch);
      isOurs = false;
    }
  }

  /**
   * @template Answer
   * @param {() => Promise<Answer>} work
   */
  async #whileAlive(work) {
    const timer = setInterval(() => this.#others.postMessage(null), ALIVE_MS);
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
function unlessAborted(error) {
  if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
}
