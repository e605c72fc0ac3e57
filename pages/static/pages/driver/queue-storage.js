/** @import { Entry, NewEntry } from "types/driver" */
/** @import { Database } from "./database.js" */

/**
 * A database that does not answer is not tried again at once: the driver who pressed a button waits for it.
 * @param {unknown} error
 */
const isTimeout = (error) => error instanceof DOMException && error.name === "TimeoutError";

/**
 * The entries of the queue: those in the database, and changes that it did not take yet. Such changes live as long as this page,
 * and every `read` and `add` tries to write them.
 */
export class QueueStorage {
  /**
   * In the order in which they were made.
   * @type {Entry[]}
   */
  list = [];
  #database;
  /**
   * As the database had them last.
   * @type {Entry[]}
   */
  #rows = [];
  /**
   * What the database does not have yet, by `ref`: an entry, or null where it is to be deleted.
   * @type {Map<string, Entry | null>}
   */
  #unsaved = new Map();

  /** @param {Database} database */
  constructor(database) {
    this.#database = database;
    database.on("cleared", () => this.#saveAllAgain());
  }

  /** Whether this page alone has some of the entries. */
  get hasUnsaved() {
    return [...this.#unsaved.values()].some(Boolean);
  }

  async read() {
    await this.#save();
    try {
      this.#rows = await this.#database.all("queue");
    } catch {
      // What was read last still holds.
    }
    this.#merge();
  }

  /**
   * All of them or none: rejects where the database takes nothing.
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
   * Adds them to this page alone, until the database takes them.
   * @param {NewEntry[]} entries
   */
  addUnsaved(entries) {
    // Behind the entries of this page, before those that another tab adds.
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

  /** Together if possible; where a large entry has no room, the small ones may have. */
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
   * Writes what is unsaved, and `more`, in one transaction. Looks at it only then: opening the database may show that it was
   * cleared.
   * @param {(queue: IDBObjectStore) => void} more
   * @param {[string, Entry | null][] | null} some of what is unsaved
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
    // A write that seemed to fail may have left the entry twice.
    else for (const row of this.#rows) if (row.ref === ref) queue.delete(row.n);
  }
}
