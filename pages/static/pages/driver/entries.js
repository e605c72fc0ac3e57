/** @import { Entry, Made } from "types/driver" */
/** @import { Store } from "./store.js" */

/**
 * The disk does not answer: asked once more, it would only keep who pressed a button waiting.
 * @param {unknown} error
 */
const isSilent = (error) => error instanceof DOMException && error.name === "TimeoutError";

/**
 * The reports that wait, or were refused: what the disk has of them, and what it did not take yet. That lives as long as this
 * page, and is written with each reading.
 */
export class Entries {
  /**
   * In the order in which they were made.
   * @type {Entry[]}
   */
  list = [];
  #store;
  /**
   * As the disk had them last.
   * @type {Entry[]}
   */
  #rows = [];
  /**
   * What the disk does not have yet, by `ref`: an entry, or null where it is to be deleted.
   * @type {Map<string, Entry | null>}
   */
  #owed = new Map();

  /** @param {Store} store */
  constructor(store) {
    this.#store = store;
    store.on("emptied", () => this.#writeAgain());
  }

  /** Whether something lives in this page alone. */
  get isUnkept() {
    return [...this.#owed.values()].some(Boolean);
  }

  async read() {
    await this.#settle();
    try {
      this.#rows = await this.#store.all("queue");
    } catch {
      // What was read last still holds.
    }
    this.#merge();
  }

  /**
   * All of them or none: rejects where the disk takes nothing.
   * @param {Made[]} entries
   */
  async add(entries) {
    /** @param {IDBObjectStore} queue */
    const add = (queue) => {
      for (const entry of entries) queue.add(entry);
    };
    try {
      await this.#write(add);
    } catch (error) {
      if (!this.#owed.size || isSilent(error)) throw error;
      await this.#store.write("queue", add);
    }
  }

  /**
   * As long as the disk takes nothing, this page has them.
   * @param {Made[]} entries
   */
  hold(entries) {
    // Behind what is there, before what another tab adds.
    let n = this.list.at(-1)?.n ?? 0;
    const numbered = [];
    for (const entry of entries) {
      n += Math.random() / 1_000;
      numbered.push({ ...entry, n });
    }
    this.put(numbered);
  }

  /** @param {Entry[]} entries */
  put(entries) {
    for (const entry of entries) this.#owed.set(entry.ref, entry);
    this.#merge();
  }

  /** @param {Entry[]} entries */
  delete(entries) {
    for (const { ref } of entries) this.#owed.set(ref, null);
    this.#merge();
  }

  #merge() {
    const known = new Map(this.#rows.map((row) => [row.ref, row]));
    for (const [ref, entry] of this.#owed) entry ? known.set(ref, entry) : known.delete(ref);
    this.list = [...known.values()].sort((a, b) => a.n - b.n);
  }

  /** The browser has thrown the database away. */
  #writeAgain() {
    this.#rows = [];
    for (const entry of this.list) if (!this.#owed.has(entry.ref)) this.#owed.set(entry.ref, entry);
  }

  /** Together if possible; where a large one has no room, the small ones may have. */
  async #settle() {
    if (!this.#owed.size) return;
    try {
      await this.#write();
    } catch (error) {
      if (isSilent(error) || this.#owed.size < 2) return;
      for (const one of [...this.#owed]) await this.#write(undefined, [one]).catch(() => {});
    }
  }

  /**
   * What the disk does not have yet, and `more`. The database may turn out to be empty only once it is open again.
   * @param {(queue: IDBObjectStore) => void} more
   * @param {[string, Entry | null][] | null} some of what is owed
   */
  async #write(more = () => {}, some = null) {
    /** @type {[string, Entry | null][]} */
    let owed = [];
    await this.#store.write("queue", (queue) => {
      owed = some ?? [...this.#owed];
      for (const [ref, entry] of owed) this.#apply(queue, ref, entry);
      more(queue);
    });
    for (const [ref, entry] of owed) if (this.#owed.get(ref) === entry) this.#owed.delete(ref);
  }

  /**
   * @param {IDBObjectStore} queue
   * @param {string} ref
   * @param {Entry | null} entry
   */
  #apply(queue, ref, entry) {
    if (entry) queue.put(entry);
    // Twice where a write was thought to have failed.
    else for (const row of this.#rows) if (row.ref === ref) queue.delete(row.n);
  }
}
