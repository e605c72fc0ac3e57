/**
 * What the telephone keeps for one driver, in IndexedDB: a database a user, so that nobody finds another's. A browser may close
 * the connection at any time (iOS does so to a page in the background) or throw the database away: it is opened again.
 */
/** @import { StoreEvents, StoreRows } from "types/driver" */
import { Emitter } from "../../realtime/emitter.js";

const VERSION = 1;
/** Some browsers never answer at all; who pressed a button waits for it. */
const LONGEST_MS = 4_000;
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
    const late = () => reject(new DOMException("The database does not answer.", "TimeoutError"));
    const timer = setTimeout(late, LONGEST_MS);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** @typedef {(store: IDBObjectStore) => void} Work */

/**
 * All of `work(store)` is on the disk when the promise is fulfilled; else nothing is.
 * @param {IDBDatabase} db
 * @param {string} name
 * @param {Work} work
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
 * `stops`: the rows of the API by id; `queue`: what waits, by `n`, which rises; `facts`: small things by name.
 *
 * Tells `keeping` when `isKeeping` changes, and `emptied` when the browser has thrown the database away: what is still known
 * is to be written again.
 * @extends {Emitter<StoreEvents>}
 */
export class Store extends Emitter {
  /** Whether the last write succeeded. */
  isKeeping = true;
  #name;
  /** @type {Promise<IDBDatabase> | null} */
  #connection = null;
  #wasThere = false;

  /** @param {number | string} user */
  constructor(user) {
    super();
    this.#name = `${NAME}${user}`;
  }

  /**
   * @template {keyof StoreRows} Name
   * @param {Name} name
   * @returns {Promise<StoreRows[Name][]>}
   */
  all(name) {
    return this.#insist((db) => done(db.transaction(name).objectStore(name).getAll()), false);
  }

  /**
   * When the stops were loaded; undefined where they never were.
   * @returns {Promise<number | null | undefined>}
   */
  loadedAt() {
    return this.#insist((db) => done(db.transaction("facts").objectStore("facts").get("loadedAt")), false);
  }

  /**
   * `work(store)` in one transaction that is on the disk when the promise is fulfilled; all of it, or nothing.
   * @param {string} name
   * @param {Work} work
   */
  write(name, work) {
    return this.#insist((db) => written(db, name, work), true);
  }

  close() {
    this.#connection?.then(
      (db) => db.close(),
      () => {},
    );
    this.#connection = null;
  }

  /**
   * What `use(db)` promises; it is tried once more on a new connection, whatever the first try failed of.
   * @template Answer
   * @param {(db: IDBDatabase) => Answer | Promise<Answer>} use
   * @param {boolean} isWrite
   */
  async #insist(use, isWrite) {
    try {
      const found = await this.#try(use).catch(() => this.#try(use));
      if (isWrite) this.#keeps(true);
      return found;
    } catch (error) {
      this.#keeps(false);
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
    const asked = indexedDB.open(this.#name, VERSION);
    let isNew = false;
    asked.onupgradeneeded = () => {
      isNew = true;
      asked.result.createObjectStore("stops", { keyPath: "id" });
      asked.result.createObjectStore("queue", { keyPath: "n", autoIncrement: true });
      asked.result.createObjectStore("facts");
    };
    const db = await done(asked);
    // A newer page in another tab, or whoever deletes the database, need not wait for this one.
    db.onversionchange = () => this.close();
    // If the database is gone, what this page still knows is to be written.
    db.onclose = () => {
      this.close();
      setTimeout(() => this.#insist(() => null, false).catch(() => {}), REOPEN_MS);
    };
    if (isNew && this.#wasThere) this.emit("emptied");
    this.#wasThere = true;
    return db;
  }

  /** @param {boolean} isKeeping */
  #keeps(isKeeping) {
    if (isKeeping === this.isKeeping) return;
    this.isKeeping = isKeeping;
    this.emit("keeping", isKeeping);
  }
}

/** Deletes the stops of every driver who was signed in here, never what waits to be sent. */
export async function forgetStops() {
  const found = (await globalThis.indexedDB?.databases?.()) ?? [];
  for (const { name } of found) {
    if (!name?.startsWith(NAME)) continue;
    const store = new Store(name.slice(NAME.length));
    await store.write("stops", (stops) => stops.clear());
    store.close();
  }
}
