/** One tab of all that a driver has open does the work, as long as it shows that it is alive. */

/** How often the tab that works says so. */
const ALIVE_MS = 3_000;
/** After so long a silence it is frozen or hangs, and another takes over. */
const SILENT_MS = 10_000;

export class OneTab {
  #name;
  #others;
  #heardAt = 0;

  /** @param {string} name of the Web Lock */
  constructor(name) {
    this.#name = name;
    this.#others = new BroadcastChannel(`${name}-alive`);
    this.#others.onmessage = () => (this.#heardAt = performance.now());
  }

  /**
   * What `work(isOurs)` promises; undefined where another tab took over meanwhile, which `isOurs()` says too. Where the browser
   * has no locks, every tab works.
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
      return this.#alive(() => work(() => isOurs));
    };
    try {
      return await navigator.locks.request(this.#name, { signal: patience.signal }, held);
    } catch (error) {
      unlessStolen(error);
      return isOurs ? undefined : await navigator.locks.request(this.#name, { steal: true }, held).catch(unlessStolen);
    } finally {
      clearInterval(watch);
      isOurs = false;
    }
  }

  /**
   * @template Answer
   * @param {() => Promise<Answer>} work
   */
  async #alive(work) {
    const timer = setInterval(() => this.#others.postMessage(null), ALIVE_MS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
    }
  }
}

/**
 * The lock was taken from us, or we lost patience; throws any other error.
 * @param {unknown} error
 * @returns {undefined}
 */
function unlessStolen(error) {
  if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
}
