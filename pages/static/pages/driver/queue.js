/**
 * What the driver did and the server does not know yet. Written to the disk with its own time and `ref` before anything
 * is sent; sent in order, one at a time, by one tab of all; repeated until there is an answer, which does nothing twice.
 */
import { ask, get } from "../../web/api.js";
import { Backoff } from "../../web/backoff.js";
import { Emitter } from "../../realtime/emitter.js";
import { newRef } from "../../realtime/ref.js";
import { Entries } from "./entries.js";
import { happenedAt, moment } from "./moment.js";
import { OneTab } from "./one-tab.js";

/** What an error means for what was sent. */
const LINE = "line"; // nobody was there: all waits
const SERVER = "server"; // this one fails there: others may go
const SIGN_IN = "sign-in"; // all waits until the driver has signed in
const REFUSED = "refused"; // it will never be done

/** Too early, too much at once or busy: said by our server, and to be said again. */
const AGAIN = new Set([408, 429, 503]);

function meaning({ status, code }) {
  // Somebody else holds this order for the moment.
  if (code === "row_locked") return SERVER;
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

/** What goes next: images last, for they are large, and only behind what else waits of their order. */
function nextOf(waiting, held) {
  const others = waiting.filter(({ kind }) => kind !== "image");
  const isFree = ({ ref, order }) => !held.has(ref) && !others.some((other) => other.order === order);
  return (
    others.find(({ order }) => !held.has(order)) ?? waiting.find((entry) => entry.kind === "image" && isFree(entry))
  );
}

/**
 * `entries`: `{n, order, number, kind, to, at, ref, …, refused}` in their order. Tells `changed`; `done` with `{entry, data}`;
 * `refused` with the entry; `sign-in`, `stranger` (somebody else is signed in) and `sent` (nothing waits).
 */
export class Queue extends Emitter {
  #entries;
  #driver;
  #tab;
  #tabs;
  #backoff = new Backoff();
  #timer = null;
  /** Until then the server wants to hear nothing (`performance.now()`). */
  #notBefore = 0;
  #isSending = false;
  #isWanted = false;

  constructor(store, { user, driver }) {
    super();
    const name = `lucky-gas-driver-${user}`;
    this.#entries = new Entries(store);
    this.#driver = driver;
    this.#tab = new OneTab(name);
    this.#tabs = new BroadcastChannel(name);
    this.#tabs.onmessage = () => this.read();
    store.on("emptied", () => this.#changed());
  }

  get entries() {
    return this.#entries.list;
  }

  /** Those not refused. */
  get waiting() {
    return this.entries.filter(({ refused }) => !refused);
  }

  /** Whether some of them live in this page alone: the disk did not take them. */
  get isUnkept() {
    return this.#entries.isUnkept;
  }

  async read() {
    await this.#entries.read();
    this.emit("changed");
  }

  /**
   * They count as done now, whenever they will be sent. What the disk does not take lives as long as this page, where there is
   * a line to send it by; else it rejects, and none of them was taken.
   */
  async add(...entries) {
    const made = entries.map((entry) => ({ ...entry, ...moment(), ref: newRef() }));
    try {
      await this.#entries.add(made);
      await this.#changed();
    } catch (error) {
      if (!navigator.onLine) throw error;
      this.#entries.hold(made);
      this.emit("changed");
    }
    this.send();
  }

  /** What was refused and read by the driver. */
  async putAway(order) {
    this.#entries.delete(this.entries.filter((entry) => entry.refused && entry.order === order));
    await this.#changed();
  }

  async #changed() {
    await this.read();
    this.#tabs.postMessage(null);
  }

  /** Sends what waits, as soon as the server lets us; again by itself until nothing does. */
  async send() {
    this.#isWanted = true;
    if (this.#isSending) return;
    clearTimeout(this.#timer);
    const waitMs = this.#notBefore - performance.now();
    if (waitMs > 0) {
      this.#timer = setTimeout(() => this.send(), waitMs);
      return;
    }
    this.#isSending = true;
    let isDone = false;
    try {
      while (this.#isWanted) {
        this.#isWanted = false;
        isDone = await this.#tab.run((isOurs) => this.#round(isOurs));
      }
    } finally {
      this.#isSending = false;
      if (isDone) this.#backoff.reset();
      else this.#timer = setTimeout(() => this.send(), this.#backoff.next());
    }
  }

  /** Whether nothing waits any more. `isOurs()`: no other tab has taken over. */
  async #round(isOurs) {
    await this.read();
    if (!this.waiting.length) return true;
    const held = new Set();
    try {
      if (!(await this.#isSignedIn())) return false;
      for (let entry; isOurs() && (entry = nextOf(this.waiting, held)); ) await this.#sendOne(entry, held);
    } catch (error) {
      const means = this.#meaning(error);
      if (means === null) throw error;
      if (means === SIGN_IN) this.emit(SIGN_IN);
      return false;
    }
    if (this.waiting.length) return false;
    this.emit("sent");
    return true;
  }

  /** Null: an error of this page. */
  #meaning(error) {
    if (error.status === undefined) return null;
    this.#notBefore = performance.now() + error.retryMs;
    return meaning(error);
  }

  /** The session is the browser's: another driver may have signed in since this page was opened. */
  async #isSignedIn() {
    const { results } = await get("drivers/?page_size=1");
    const isSignedIn = results[0]?.id === this.#driver;
    if (!isSignedIn) this.emit("stranger");
    return isSignedIn;
  }

  /** Throws what stops the round; `held` until the next one: the order that the server fails at, the image on the way. */
  async #sendOne(entry, held) {
    const isImage = entry.kind === "image";
    let said;
    try {
      said = await this.#say(entry);
    } catch (error) {
      const means = this.#meaning(error);
      if (means === REFUSED) return this.#refused(entry, error);
      if (means === SERVER || (means === LINE && isImage && !error.retryMs))
        return held.add(isImage ? entry.ref : entry.order);
      throw error;
    }
    return this.#settle(entry, said);
  }

  /** The server's answer. A time that it does not believe is left out: that it was done weighs more than when. */
  async #say(entry) {
    const at = happenedAt(entry);
    try {
      return await this.#post(entry, at);
    } catch (error) {
      if (error.code !== "invalid_time") throw error;
      return this.#post(entry, null);
    }
  }

  async #post(entry, when) {
    const at = when === null ? undefined : new Date(when).toISOString();
    const [method, path, body] = SAID[entry.kind](entry, at);
    return (await ask(method, `orders/${entry.order}/${path}`, body)).data;
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
    // Told before it is removed: between the two the stop would be shown as it was.
    this.emit("done", { entry, data });
    this.#entries.delete([entry]);
    await this.#changed();
  }

  async #refused(entry, { message, code }) {
    const order = entry.kind === "image" ? null : await this.#present(entry.order);
    // The office was asked by telephone, and was faster.
    if (code === "invalid_transition" && entry.kind === "status" && order?.status === entry.to)
      return this.#settle(entry, order);
    const refused = [{ ...entry, refused: { detail: message } }];
    // What follows stands on what was refused; but a picture of what is still ours is worth having whatever became of it.
    const isLost = ({ kind }) => entry.kind !== "image" && (kind !== "image" || !order);
    for (const other of this.#after(entry)) if (isLost(other)) refused.push({ ...other, refused: { detail: null } });
    this.#entries.put(refused);
    await this.#changed();
    return this.emit(REFUSED, entry);
  }

  /** What waits of the same order behind this one. */
  #after({ order, ref }) {
    const { waiting } = this;
    const position = waiting.findIndex((other) => other.ref === ref);
    return waiting.slice(position + 1).filter((other) => other.order === order);
  }
}
