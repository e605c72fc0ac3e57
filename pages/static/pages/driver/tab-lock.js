/** A Web Lock by which one tab of all that a driver has open does the work, as long as it shows that it is alive. */

/** How often the tab that works sends a sign of life. */
const ALIVE_MS = 3_000;
/** A tab that was silent for so long is frozen or hangs: another takes the lock from it. */
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
   * What `work(isOurs)` promises; undefined where another tab took the lock meanwhile, which `isOurs()` tells too. Where the
   * browser has no locks, every tab works.
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
 * Throws the error again, unless the lock was stolen or the request for it given up.
 * @param {unknown} error
 * @returns {undefined}
 */
function unlessAborted(error) {
  if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
}
