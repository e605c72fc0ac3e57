/**
 * What the driver did and the server does not know yet. Written to the disk with its own time and `ref` before anything
 * is sent; sent in order, one at a time, by one tab of all; repeated until there is an answer, which does nothing twice.
 */
import { ask, get } from "../api.js";
import { Backoff } from "../../realtime/backoff.js";
import { newRef } from "../../realtime/commands.js";
import { Emitter } from "../../realtime/emitter.js";

/** What an error means for what was sent. */
const LINE = "line"; // nobody was there: all waits
const SERVER = "server"; // this one fails there: others may go
const SIGN_IN = "sign-in"; // all waits until the driver has signed in
const REFUSED = "refused"; // it will never be done

/** Too early, too much at once or busy: said by our server, and to be said again. */
const AGAIN = new Set([408, 429, 503]);

function meaning({ status, code }) {
  if (status === 401 || (status === 403 && code === "permission_denied")) return SIGN_IN;
  // A 4xx that is not in the shape of our API comes from something between, which knows nothing of orders.
  if (status === 0 || AGAIN.has(status) || (status < 500 && code === "error")) return LINE;
  return status >= 500 ? SERVER : REFUSED;
}

/** How each kind of entry is said: method, path below the order, body. `at` is ISO 8601. */
const SAID = {
  status: ({ to, reason, ref }, at) => ["PATCH", "status/", { status: to, ref, at, ...(reason ? { reason } : {}) }],
  delivery: ({ body, ref }, at) => ["POST", "confirm-delivery/", { ...body, ref, confirmed_at: at }],
  image: ({ image, blob, ref }) => ["POST", "proof-images/", formOf({ kind: image, ref, image: blob })],
};

function formOf(values) {
  const form = new FormData();
  for (const [name, value] of Object.entries(values)) form.append(name, value);
  return form;
}

/** One sender over all tabs of this user; where the browser has no locks, one a tab. */
function alone(name, work) {
  return navigator.locks ? navigator.locks.request(name, work) : work();
}

/**
 * `entries`: `{n, order, number, kind, to, at, ref, …, refused}` in their order. Tells `changed`; `done` with `{entry,
 * data}`; `refused` with the entry; `sign-in`, `stranger` (somebody else is signed in) and `sent` (nothing waits).
 */
export class Queue extends Emitter {
  entries = [];
  /** How far this clock is behind the server's, in milliseconds: a wrong clock tells no wrong times. */
  behindMs = 0;
  #store;
  #driver;
  #name;
  #backoff = new Backoff();
  #timer = null;
  #isSending = false;
  #isWanted = false;
  #tabs;

  constructor(store, { user, driver }) {
    super();
    this.#store = store;
    this.#driver = driver;
    this.#name = `lucky-gas-driver-${user}`;
    this.#tabs = new BroadcastChannel(this.#name);
    this.#tabs.onmessage = () => this.read();
  }

  /** Those not refused. */
  get waiting() {
    return this.entries.filter(({ refused }) => !refused);
  }

  async read() {
    this.entries = await this.#store.all("queue");
    this.emit("changed");
  }

  /** All of `entries` or none; they count as done now, whenever they will be sent. */
  async add(...entries) {
    const made = entries.map((entry) => ({ ...entry, at: Date.now(), ref: newRef() }));
    await this.#write((queue) => made.forEach((entry) => queue.add(entry)));
    this.send();
  }

  /** What was refused and read by the driver. */
  async putAway(order) {
    const gone = this.entries.filter((entry) => entry.refused && entry.order === order);
    await this.#write((queue) => gone.forEach(({ n }) => queue.delete(n)));
  }

  async #write(work) {
    await this.#store.write("queue", work);
    this.#tabs.postMessage(null);
    await this.read();
  }

  /** Sends what waits, now; again by itself until nothing does. */
  async send() {
    this.#isWanted = true;
    if (this.#isSending) return;
    this.#isSending = true;
    clearTimeout(this.#timer);
    let isDone = false;
    try {
      while (this.#isWanted) {
        this.#isWanted = false;
        isDone = await alone(this.#name, () => this.#round());
      }
    } finally {
      this.#isSending = false;
      if (isDone) this.#backoff.reset();
      else this.#timer = setTimeout(() => this.send(), this.#backoff.next());
    }
  }

  /** Whether nothing waits any more. */
  async #round() {
    await this.read();
    if (!this.waiting.length) return true;
    const held = new Set();
    try {
      if (!(await this.#isOurs())) return false;
      for (let entry; (entry = this.waiting.find(({ order }) => !held.has(order))); ) await this.#sendOne(entry, held);
    } catch (error) {
      const means = error.status === undefined ? null : meaning(error);
      if (means === null) throw error;
      if (means === SIGN_IN) this.emit(SIGN_IN);
      return false;
    }
    if (!held.size) this.emit("sent");
    return !held.size;
  }

  /** The session is the browser's: another driver may have signed in since this page was opened. */
  async #isOurs() {
    const { results } = await get("drivers/?page_size=1");
    const isOurs = results[0]?.id === this.#driver;
    if (!isOurs) this.emit("stranger");
    return isOurs;
  }

  /** Throws what stops the round; an order that the server fails at is `held` until the next one. */
  async #sendOne(entry, held) {
    const at = new Date(entry.at + this.behindMs).toISOString();
    const [method, path, body] = SAID[entry.kind](entry, at);
    try {
      await this.#settle(entry, (await ask(method, `orders/${entry.order}/${path}`, body)).data);
    } catch (error) {
      const means = error.status === undefined ? null : meaning(error);
      if (means === SERVER) held.add(entry.order);
      else if (means === REFUSED) await this.#refused(entry, error);
      else throw error;
    }
  }

  /** The order as it is; null where it is no longer this driver's. */
  async #present(order) {
    try {
      return await get(`orders/${order}/`);
    } catch (error) {
      if (meaning(error) !== REFUSED) throw error;
      return null;
    }
  }

  async #settle(entry, data) {
    await this.#write((queue) => queue.delete(entry.n));
    this.emit("done", { entry, data });
  }

  async #refused(entry, { message, code }) {
    if (code === "invalid_transition" && entry.kind === "status") {
      const order = await this.#present(entry.order);
      // The office was asked by telephone, and was faster.
      if (order?.status === entry.to) return this.#settle(entry, order);
    }
    const later = this.waiting.filter(({ order, n }) => order === entry.order && n > entry.n);
    await this.#write((queue) => {
      queue.put({ ...entry, refused: { detail: message } });
      // What follows stands on what was refused.
      for (const other of later) queue.put({ ...other, refused: { detail: null } });
    });
    this.emit(REFUSED, entry);
  }
}
