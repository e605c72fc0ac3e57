/**
 * The IndexedDB database of one driver; each user of the telephone has another. A browser may close the connection at any time
 * (iOS does so to a page in the background) or throw the database away: it is opened again.
 */
/** @import { DatabaseEvents, DatabaseRows } from "types/driver" */
import { Emitter } from "../../realtime/emitter.js";

const VERSION = 1;
/** Some browsers never answer; the driver who pressed a button waits for it. */
const TIMEOUT_MS = 4_000;
/** An attempt while the browser is still deleting may never be answered. */
const REOPEN_MS = 1_000;
const NAME = "lucky-gas-driver-";

/**
 * @template Answer
 * @param {IDBRequest<Answer>} request
 * @returns {Promise<Answer>}
 */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * Rejects with a `TimeoutError` where `promise` is not settled in time.
 * @template Answer
 * @param {Promise<Answer>} promise
 * @returns {Promise<Answer>}
 */
function inTime(promise) {
  return new Promise((resolve, reject) => {
    const fail = () => reject(new DOMException("The database does not answer.", "TimeoutError"));
    const timer = setTimeout(fail, TIMEOUT_MS);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** @typedef {(store: IDBObjectStore) => void} Write */

/**
 * All of `work(store)` is on the disk when the promise is fulfilled; else nothing is.
 * @param {IDBDatabase} db
 * @param {string} name
 * @param {Write} work
 * @returns {Promise<void>}
 */
function written(db, name, work) {
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
 * `stops`: the rows of the API by id; `queue`: reports that wait, by `n`, which rises; `facts`: single values by name.
 *
 * Emits `writable` when `isWritable` changes, and `cleared` when the browser has thrown the database away: pages then write
 * again what they know.
 * @extends {Emitter<DatabaseEvents>}
 */
export class Database extends Emitter {
  /** Whether the last write succeeded. */
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
    return this.#run((db) => done(db.transaction(name).objectStore(name).getAll()), false);
  }

  /**
   * When the stops were loaded; undefined where they never were.
   * @returns {Promise<number | null | undefined>}
   */
  loadedAt() {
    return this.#run((db) => done(db.transaction("facts").objectStore("facts").get("loadedAt")), false);
  }

  /**
   * `work(store)` in one transaction that is on the disk when the promise is fulfilled; all of it, or nothing.
   * @param {string} name
   * @param {Write} work
   */
  write(name, work) {
    return this.#run((db) => written(db, name, work), true);
  }

  close() {
    this.#connection?.then(
      (db) => db.close(),
      () => {},
    );
    this.#connection = null;
  }

  /**
   * What `use(db)` promises. Whatever the error, it is tried once more on a new connection.
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
      return await inTime(connection.then(use));
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
    const db = await done(opening);
    // Another tab may upgrade or delete the database without waiting for this one.
    db.onversionchange = () => this.close();
    // If the database is gone, opening it again emits `cleared`.
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

/** Deletes the stops of every driver who was signed in here, but not the reports that wait. */
export async function deleteStops() {
  for (const { name } of (await globalThis.indexedDB?.databases?.()) ?? []) {
    if (!name?.startsWith(NAME)) continue;
    const database = new Database(name.slice(NAME.length));
    await database.write("stops", (stops) => stops.clear());
    database.close();
  }
}
