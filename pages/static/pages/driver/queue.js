/**
 * What the driver did and the server does not know yet. Written to the disk with its own time and `ref` before anything
 * is sent; sent in order, one at a time, by one tab of all; repeated until there is an answer, which does nothing twice.
 */

import { Emitter } from "../../realtime/emitter.js";
import { newRef } from "../../realtime/ref.js";
/** @import { Entry, ImageReport, QueueEvents, Report } from "types/driver" */
/** @import { Moved, OrderRow } from "types/rows" */
/** @import { Store } from "./store.js" */
import { ApiError, get, request } from "../../web/api.js";
import { Backoff } from "../../web/backoff.js";
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

/** @param {ApiError} error */
function meaning({ status, code }) {
  // Somebody else holds this order for the moment.
  if (code === "row_locked") return SERVER;
  if (status === 401 || (status === 403 && code === "permission_denied")) return SIGN_IN;
  // A 4xx that is not in the shape of our API comes from something between, which knows nothing of orders.
  if (status === 0 || AGAIN.has(status) || (status < 500 && code === "error")) return LINE;
  return status >= 500 ? SERVER : REFUSED;
}

/**
 * How an entry is said: method, path below the order, body.
 * @param {Entry} entry
 * @param {string | undefined} at ISO 8601
 * @returns {[string, string, object]}
 */
function callOf(entry, at) {
  const { kind, ref } = entry;
  if (kind === "image") return ["POST", "proof-images/", formOf(entry)];
  if (kind === "delivery") return ["POST", "confirm-delivery/", { ...entry.body, ref, confirmed_at: at }];
  const reason = entry.reason ? { reason: entry.reason } : {};
  return ["PATCH", "status/", { status: entry.to, ref, at, ...reason }];
}

/** @param {ImageReport & { ref: string }} entry */
function formOf({ image, ref, blob }) {
  const form = new FormData();
  form.append("kind", image);
  form.append("ref", ref);
  form.append("image", blob);
  return form;
}

/**
 * What goes next: images last, for they are large, and only behind what else waits of their order.
 * @param {Entry[]} waiting
 * @param {Set<string | number>} held
 */
function nextOf(waiting, held) {
  const others = waiting.filter(({ kind }) => kind !== "image");
  /** @param {Entry} entry */
  const isFree = ({ ref, order }) => !held.has(ref) && !others.some((other) => other.order === order);
  return (
    others.find(({ order }) => !held.has(order)) ?? waiting.find((entry) => entry.kind === "image" && isFree(entry))
  );
}

/**
 * `entries` in their order. Tells `changed`; `done` with `{entry, data}`;
 * `refused` with the entry; `sign-in`, `stranger` (somebody else is signed in) and `sent` (nothing waits).
 * @extends {Emitter<QueueEvents>}
 */
export class Queue extends Emitter {
  #entries;
  #driver;
  #tab;
  #tabs;
  #backoff = new Backoff();
  /** @type {number | undefined} */
  #timer;
  /** Until then the server wants to hear nothing (`performance.now()`). */
  #notBefore = 0;
  #isSending = false;
  #isWanted = false;

  /**
   * @param {Store} store
   * @param {{ user: number, driver: number }} who
   */
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
   * @param {Report[]} entries
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

  /**
   * What was refused and read by the driver.
   * @param {number} order
   */
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
    /** @type {boolean | undefined} */
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

  /**
   * Whether nothing waits any more.
   * @param {() => boolean} isOurs no other tab has taken over
   */
  async #round(isOurs) {
    await this.read();
    if (!this.waiting.length) return true;
    const held = new Set();
    try {
      if (!(await this.#isSignedIn())) return false;
      for (let next = nextOf(this.waiting, held); next && isOurs(); next = nextOf(this.waiting, held))
        await this.#sendOne(next, held);
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

  /**
   * Null: an error of this page.
   * @param {unknown} error
   */
  #meaning(error) {
    if (!(error instanceof ApiError)) return null;
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

  /**
   * Throws what stops the round.
   * @param {Entry} entry
   * @param {Set<string | number>} held until the next one: the order that the server fails at, the image on the way
   */
  async #sendOne(entry, held) {
    const isImage = entry.kind === "image";
    /** @type {Moved | OrderRow} */
    let answer;
    try {
      answer = await this.#say(entry);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const means = this.#meaning(error);
      if (means === REFUSED) return this.#refused(entry, error);
      if (means !== SERVER && !(means === LINE && isImage && !error.retryMs)) throw error;
      held.add(isImage ? entry.ref : entry.order);
      return;
    }
    await this.#settle(entry, answer);
  }

  /**
   * The server's answer. A time that it does not believe is left out: that it was done weighs more than when.
   * @param {Entry} entry
   */
  async #say(entry) {
    const at = happenedAt(entry);
    try {
      return await this.#post(entry, at);
    } catch (error) {
      if (!(error instanceof ApiError && error.code === "invalid_time")) throw error;
      return this.#post(entry, null);
    }
  }

  /**
   * @param {Entry} entry
   * @param {number | null} when
   */
  async #post(entry, when) {
    const at = when === null ? undefined : new Date(when).toISOString();
    const [method, path, body] = callOf(entry, at);
    const { data } = await request(method, `orders/${entry.order}/${path}`, body);
    return /** @type {Moved | OrderRow} */ (data);
  }

  /**
   * The order as it is; null where it is no longer this driver's.
   * @param {number} order
   * @returns {Promise<OrderRow | null>}
   */
  async #present(order) {
    try {
      return await get(`orders/${order}/`);
    } catch (error) {
      if (!(error instanceof ApiError && meaning(error) === REFUSED)) throw error;
      return null;
    }
  }

  /**
   * @param {Entry} entry
   * @param {Moved | OrderRow} data
   */
  async #settle(entry, data) {
    // Told before it is removed: between the two the stop would be shown as it was.
    this.emit("done", { entry, data });
    this.#entries.delete([entry]);
    await this.#changed();
  }

  /**
   * @param {Entry} entry
   * @param {ApiError} error
   */
  async #refused(entry, { message, code }) {
    const order = entry.kind === "image" ? null : await this.#present(entry.order);
    // The office was asked by telephone, and was faster.
    if (order && code === "invalid_transition" && entry.kind === "status" && order.status === entry.to)
      return this.#settle(entry, order);
    /** @type {Entry[]} */
    const refused = [{ ...entry, refused: { detail: message } }];
    // What follows stands on what was refused; but a picture of what is still ours is worth having whatever became of it.
    /** @param {Entry} other */
    const isLost = ({ kind }) => entry.kind !== "image" && (kind !== "image" || !order);
    for (const other of this.#after(entry)) if (isLost(other)) refused.push({ ...other, refused: { detail: null } });
    this.#entries.put(refused);
    await this.#changed();
    this.emit(REFUSED, entry);
  }

  /**
   * What waits of the same order behind this one.
   * @param {Entry} entry
   */
  #after({ order, ref }) {
    const { waiting } = this;
    const position = waiting.findIndex((other) => other.ref === ref);
    return waiting.slice(position + 1).filter((other) => other.order === order);
  }
}
