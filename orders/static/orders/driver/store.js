/** What the telephone keeps for one driver, in IndexedDB: a database a user, so that nobody finds another's. */

const VERSION = 1;

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

const NAME = "lucky-gas-driver-";
const nameOf = (user) => `${NAME}${user}`;

/** `stops`: the rows of the API by id; `queue`: what waits, by `n`, which rises; `facts`: small things by name. */
export class Store {
  #db;

  static async open(user) {
    const asked = indexedDB.open(nameOf(user), VERSION);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("stops", { keyPath: "id" });
      asked.result.createObjectStore("queue", { keyPath: "n", autoIncrement: true });
      asked.result.createObjectStore("facts");
    };
    return new Store(await done(asked));
  }

  constructor(db) {
    this.#db = db;
    // A newer page in another tab need not wait for this one.
    db.onversionchange = () => db.close();
  }

  all(name) {
    return done(this.#db.transaction(name).objectStore(name).getAll());
  }

  fact(name) {
    return done(this.#db.transaction("facts").objectStore("facts").get(name));
  }

  /** `work(store)` in one transaction that is on the disk when the promise is fulfilled; all of it, or nothing. */
  write(name, work) {
    const transaction = this.#db.transaction(name, "readwrite", { durability: "strict" });
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      work(transaction.objectStore(name));
    });
  }
}

/** In place of a store where the browser has none to give: a private window, a broken disk. */
export class NoStore {
  all = async () => [];
  fact = async () => undefined;
  write = async () => {
    throw new DOMException("There is no database.", "InvalidStateError");
  };
}

/** Deletes the stops of every driver who was signed in here, never what waits to be sent. */
export async function forgetStops() {
  const found = (await globalThis.indexedDB?.databases?.()) ?? [];
  for (const { name } of found.filter(({ name }) => name.startsWith(NAME))) {
    const db = await done(indexedDB.open(name));
    await new Store(db).write("stops", (stops) => stops.clear());
    db.close();
  }
}
