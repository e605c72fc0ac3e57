/**
 * The IndexedDB database of one driver; each user of the phone has their own. A browser may close the connection at any time
 * (iOS does so for pages in the background) or delete the database: this class opens it again.
 */
/** @import { DatabaseEvents, DatabaseRows } from "types/driver" */
import { Emitter } from "../../realtime/emitter.js";

const VERSION = 1;
/** The time limit of each access: some browsers never answer, and the driver waits after pressing a button. */
const TIMEOUT_MS = 4_000;
/** The pause before reopening a closed database: a browser that still deletes it may never answer. */
const REOPEN_MS = 1_000;
const NAME = "lucky-gas-driver-";

/**
 * @template Answer
 * @param {IDBRequest<Answer>} request
 * @returns {Promise<Answer>}
 */
function resultOf(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * Rejects with a `TimeoutError` if `promise` is not settled within TIMEOUT_MS.
 * @template Answer
 * @param {Promise<Answer>} promise
 * @returns {Promise<Answer>}
 */
function withTimeout(promise) {
  return new Promise((resolve, reject) => {
    const fail = () => reject(new DOMException("The database does not answer.", "TimeoutError"));
    const timer = setTimeout(fail, TIMEOUT_MS);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** @typedef {(store: IDBObjectStore) => void} Write */

/**
 * Runs `work(store)` in a transaction. Resolves when everything is on the disk. Rejects if nothing was written.
 * @param {IDBDatabase} db
 * @param {string} name
 * @param {Write} work
 * @returns {Promise<void>}
 */
function writeAll(db, name, work) {
  const transaction = db.transaction(name, "readwrite", { durability: "strict" });
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new DOMException("Nothing was written.", "AbortError"));
    try {
      work(transaction.objectStore(name));
    } catch (error) {
      reject(error);
      transaction.abort();
    }
  });
}

/**
 * Stores: `stops` has the rows of the API by id, `queue` the reports by `n` (increasing), `facts` single values by name.
 *
 * Emits `writable` when `isWritable` changes. Emits `cleared` after the browser deleted the database: listeners must write
 * their data again.
 * @extends {Emitter<DatabaseEvents>}
 */
export class Database extends Emitter {
  /** False after a failed access, until a write succeeds. */
  isWritable = true;
  #name;
  /** @type {Promise<IDBDatabase> | null} */
  #connection = null;
  #wasOpened = false;

  /** @param {number | string} user */
  constructor(user) {
    super();
    this.#name = `${NAME}${user}`;
  }

  /**
   * @template {keyof DatabaseRows} Name
   * @param {Name} name
   * @returns {Promise<DatabaseRows[Name][]>}
   */
  all(name) {
    return this.#run((db) => resultOf(db.transaction(name).objectStore(name).getAll()), false);
  }

  /**
   * When the stops were last loaded, in milliseconds since 1970; null or undefined if never.
   * @returns {Promise<number | null | undefined>}
   */
  loadedAt() {
    return this.#run((db) => resultOf(db.transaction("facts").objectStore("facts").get("loadedAt")), false);
  }

  /**
   * Runs `work(store)` in one transaction: everything is written, or nothing. Resolves when it is on the disk.
   * @param {string} name
   * @param {Write} work
   */
  write(name, work) {
    return this.#run((db) => writeAll(db, name, work), true);
  }

  close() {
    this.#connection?.then(
      (db) => db.close(),
      () => {},
    );
    this.#connection = null;
  }

  /**
   * Resolves with the result of `use(db)`. Retries once after an error, on a new connection.
   * @template Answer
   * @param {(db: IDBDatabase) => Answer | Promise<Answer>} use
   * @param {boolean} isWrite
   */
  async #run(use, isWrite) {
    try {
      const result = await this.#try(use).catch(() => this.#try(use));
      if (isWrite) this.#setWritable(true);
      return result;
    } catch (error) {
      this.#setWritable(false);
      throw error;
    }
  }

  /**
   * @template Answer
   * @param {(db: IDBDatabase) => Answer | Promise<Answer>} use
   */
  async #try(use) {
    this.#connection ??= this.#open();
    const connection = this.#connection;
    try {
      return await withTimeout(connection.then(use));
    } catch (error) {
      if (connection === this.#connection) this.close();
      throw error;
    }
  }

  async #open() {
    const opening = indexedDB.open(this.#name, VERSION);
    let isNew = false;
    opening.onupgradeneeded = () => {
      isNew = true;
      opening.result.createObjectStore("stops", { keyPath: "id" });
      opening.result.createObjectStore("queue", { keyPath: "n", autoIncrement: true });
      opening.result.createObjectStore("facts");
    };
    const db = await resultOf(opening);
    // Lets another tab upgrade or delete the database.
    db.onversionchange = () => this.close();
    // Reopens the database. Emits `cleared` if the browser deleted it.
    db.onclose = () => {
      this.close();
      setTimeout(() => this.#run(() => null, false).catch(() => {}), REOPEN_MS);
    };
    if (isNew && this.#wasOpened) this.emit("cleared");
    this.#wasOpened = true;
    return db;
  }

  /** @param {boolean} isWritable */
  #setWritable(isWritable) {
    if (isWritable === this.isWritable) return;
    this.isWritable = isWritable;
    this.emit("writable", isWritable);
  }
}

/**
 * Deletes the stored stops of all drivers who used this browser, but not their waiting reports. Does nothing in a browser that
 * cannot list its databases.
 */
export async function deleteStops() {
  for (const { name } of (await globalThis.indexedDB?.databases?.()) ?? []) {
    if (!name?.startsWith(NAME)) continue;
    const database = new Database(name.slice(NAME.length));
    await database.write("stops", (stops) => stops.clear());
    database.close();
  }
}
