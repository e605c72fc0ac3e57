/** @import { Entry, NewEntry } from "types/driver" */
/** @import { Database } from "./database.js" */

/**
 * Whether the database did not answer in time. Then there is no immediate retry, because the driver is waiting.
 * @param {unknown} error
 */
const isTimeout = (error) => error instanceof DOMException && error.name === "TimeoutError";

/**
 * The entries of the queue: those in the database, and changes that could not be written yet. Unwritten changes exist only in
 * this page; every `read` and `add` tries to write them.
 */
export class QueueStorage {
  /**
   * Oldest first.
   * @type {Entry[]}
   */
  list = [];
  #database;
  /**
   * The entries as last read from the database.
   * @type {Entry[]}
   */
  #rows = [];
  /**
   * Unwritten changes by `ref`: an entry to write, or null for one to delete.
   * @type {Map<string, Entry | null>}
   */
  #unsaved = new Map();

  /** @param {Database} database */
  constructor(database) {
    this.#database = database;
    database.on("cleared", () => this.#saveAllAgain());
  }

  /** Whether some entries, or changes to them, exist only in this page. Deletions do not count. */
  get hasUnsaved() {
    return [...this.#unsaved.values()].some(Boolean);
  }

  async read() {
    await this.#save();
    try {
      this.#rows = await this.#database.all("queue");
    } catch {
      // Uses the entries of the last read.
    }
    this.#merge();
  }

  /**
   * Writes all of the entries, or none of them and rejects.
   * @param {NewEntry[]} entries
   */
  async add(entries) {
    /** @param {IDBObjectStore} queue */
    const add = (queue) => {
      for (const entry of entries) queue.add(entry);
    };
    try {
      await this.#write(add);
    } catch (error) {
      if (!this.#unsaved.size || isTimeout(error)) throw error;
      await this.#database.write("queue", add);
    }
  }

  /**
   * Adds the entries to this page only, until the database accepts them.
   * @param {NewEntry[]} entries
   */
  addUnsaved(entries) {
    // Sorts after the entries of this page, and before those that another tab adds.
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
    for (const entry of entries) this.#unsaved.set(entry.ref, entry);
    this.#merge();
  }

  /** @param {Entry[]} entries */
  delete(entries) {
    for (const { ref } of entries) this.#unsaved.set(ref, null);
    this.#merge();
  }

  #merge() {
    const known = new Map(this.#rows.map((row) => [row.ref, row]));
    for (const [ref, entry] of this.#unsaved) entry ? known.set(ref, entry) : known.delete(ref);
    this.list = [...known.values()].sort((a, b) => a.n - b.n);
  }

  #saveAllAgain() {
    this.#rows = [];
    for (const entry of this.list) if (!this.#unsaved.has(entry.ref)) this.#unsaved.set(entry.ref, entry);
  }

  /** Writes all unsaved changes together. If that fails, writes each alone: a large entry may not fit, but the others may. */
  async #save() {
    if (!this.#unsaved.size) return;
    try {
      await this.#write();
    } catch (error) {
      if (isTimeout(error) || this.#unsaved.size < 2) return;
      for (const one of [...this.#unsaved]) await this.#write(undefined, [one]).catch(() => {});
    }
  }

  /**
   * Writes the unsaved changes and `more` in one transaction. Collects the changes inside the transaction, because opening the
   * database may emit `cleared`, which adds changes.
   * @param {(queue: IDBObjectStore) => void} more
   * @param {[string, Entry | null][] | null} some only these unsaved changes
   */
  async #write(more = () => {}, some = null) {
    /** @type {[string, Entry | null][]} */
    let unsaved = [];
    await this.#database.write("queue", (queue) => {
      unsaved = some ?? [...this.#unsaved];
      for (const [ref, entry] of unsaved) this.#apply(queue, ref, entry);
      more(queue);
    });
    for (const [ref, entry] of unsaved) if (this.#unsaved.get(ref) === entry) this.#unsaved.delete(ref);
  }

  /**
   * @param {IDBObjectStore} queue
   * @param {string} ref
   * @param {Entry | null} entry
   */
  #apply(queue, ref, entry) {
    if (entry) queue.put(entry);
    // The entry may exist twice, if an earlier write succeeded although it was reported as failed.
    else for (const row of this.#rows) if (row.ref === ref) queue.delete(row.n);
  }
}
