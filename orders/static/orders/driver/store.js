/** What the telephone keeps for one driver, in IndexedDB: a database a user, so that nobody finds another's. */

const VERSION = 1;

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

const nameOf = (user) => `lucky-gas-driver-${user}`;

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
