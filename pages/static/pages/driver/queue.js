/**
 * The driver's reports that the server does not have yet. Each is stored with its time and `ref` before it is sent. One tab sends
 * them one at a time, the oldest first and images last, with retries until the server answers. The `ref` makes retries idempotent.
 */

import { Emitter } from "../../realtime/emitter.js";
import { newRef } from "../../realtime/ref.js";
/** @import { Entry, ImageReport, QueueEvents, Report } from "types/driver" */
/** @import { MoveResult, OrderRow } from "types/rows" */
/** @import { Database } from "./database.js" */
import { ApiError, get, getOrNull, request } from "../../web/api.js";
import { Refetcher, retryNow } from "../../web/retry.js";
import { QueueStorage } from "./queue-storage.js";
import { happenedAt, reportTime } from "./report-time.js";
import { TabLock } from "./tab-lock.js";

/** What an error means for the queue. */
const UNREACHABLE = "unreachable"; // all reports wait
const FAILED = "failed"; // this report waits, others are sent
const SIGN_IN = "sign-in"; // all reports wait until the driver has signed in
const REFUSED = "refused"; // this report will never be accepted

/** Statuses with which the server asks for a later retry. */
const RETRY_LATER = new Set([408, 429, 503]);

/** @param {ApiError} error */
function kindOf({ status, code }) {
  // Another request holds the lock on this order.
  if (code === "row_locked") return FAILED;
  if (status === 401 || (status === 403 && code === "permission_denied")) return SIGN_IN;
  // A 4xx response that is not in our API's format comes from a proxy.
  if (status === 0 || RETRY_LATER.has(status) || (status < 500 && code === "error")) return UNREACHABLE;
  return status >= 500 ? FAILED : REFUSED;
}

/**
 * The request for an entry: method, path below the order, body.
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
 * The entry to send next; undefined if none can be sent. Images come last, because they are large, and only after all other
 * reports of their order.
 * @param {Entry[]} waiting
 * @param {Set<string | number>} blocked
 */
function nextOf(waiting, blocked) {
  const others = waiting.filter(({ kind }) => kind !== "image");
  /** @param {Entry} entry */
  const isFree = ({ ref, order }) => !blocked.has(ref) && !others.some((other) => other.order === order);
  return (
    others.find(({ order }) => !blocked.has(order)) ?? waiting.find((entry) => entry.kind === "image" && isFree(entry))
  );
}

/**
 * Emits `changed`; `done` with `{entry, data}` when the server accepted an entry, where `data` is its response; `refused` with the
 * entry; `sign-in` if the session has ended; `other-user` if another user is signed in.
 * @extends {Emitter<QueueEvents>}
 */
export class Queue extends Emitter {
  #storage;
  #driver;
  #lock;
  #tabs;
  #sender = new Refetcher(() => this.#sendAll());
  /** The longest wait that the server asked for in this round. */
  #retryMs = 0;

  /**
   * @param {Database} database
   * @param {{ user: number, driver: number }} who
   */
  constructor(database, { user, driver }) {
    super();
    const name = `lucky-gas-driver-${user}`;
    this.#storage = new QueueStorage(database);
    this.#driver = driver;
    this.#lock = new TabLock(name);
    this.#tabs = new BroadcastChannel(name);
    this.#tabs.onmessage = () => this.read();
    database.on("cleared", () => this.#announceChange());
  }

  get entries() {
    return this.#storage.list;
  }

  /** The entries that the server has not refused. */
  get waiting() {
    return this.entries.filter(({ refused }) => !refused);
  }

  /** Whether some entries, or changes to them, exist only in this page, because the database did not accept them. */
  get hasUnsaved() {
    return this.#storage.hasUnsaved;
  }

  async read() {
    await this.#storage.read();
    this.emit("changed");
  }

  /**
   * Stores new reports and starts to send them. If the database does not accept them, only this page has them; while offline,
   * the promise rejects instead.
   * @param {Report[]} entries
   */
  async add(...entries) {
    const reports = entries.map((entry) => ({ ...entry, ...reportTime(), ref: newRef() }));
    try {
      await this.#storage.add(reports);
      await this.#announceChange();
    } catch (error) {
      if (!navigator.onLine) throw error;
      this.#storage.addUnsaved(reports);
      this.emit("changed");
    }
    this.send();
  }

  /**
   * Deletes the refused entries of an order, after the driver has read the notice.
   * @param {number} order
   */
  async dismiss(order) {
    this.#storage.delete(this.entries.filter((entry) => entry.refused && entry.order === order));
    await this.#announceChange();
  }

  async #announceChange() {
    await this.read();
    this.#tabs.postMessage(null);
  }

  /** Sends all waiting reports, at once or as soon as the server allows it, with retries until none waits. */
  send() {
    // Called before `add`, so that `retryNow` wakes a round that waits or hangs, and not the new one.
    retryNow();
    this.#sender.add("all");
  }

  /** Waits until this tab has the lock, and runs a round. Rejects with a temporary error unless no report waits afterwards. */
  async #sendAll() {
    this.#retryMs = 0;
    const isDone = await this.#lock.run((isOurs) => this.#round(isOurs)).catch(reportError);
    if (!isDone) throw new ApiError(0, [], String(this.#retryMs / 1000));
  }

  /**
   * Sends the waiting reports once. Returns whether none waits any more.
   * @param {() => boolean} isOurs whether no other tab has taken over
   */
  async #round(isOurs) {
    await this.read();
    if (!this.waiting.length) return true;
    const blocked = new Set();
    try {
      if (!(await this.#isSignedIn())) return false;
      for (let next = nextOf(this.waiting, blocked); next && isOurs(); next = nextOf(this.waiting, blocked))
        await this.#sendOne(next, blocked);
    } catch (error) {
      const kind = this.#kindOfFailure(error);
      if (kind === null) throw error;
      if (kind === SIGN_IN) this.emit(SIGN_IN);
      return false;
    }
    return !this.waiting.length;
  }

  /**
   * What an error means for the queue; null if it is a bug of this page.
   * @param {unknown} error
   */
  #kindOfFailure(error) {
    if (!(error instanceof ApiError)) return null;
    this.#retryMs = Math.max(this.#retryMs, error.retryMs);
    return kindOf(error);
  }

  /**
   * Asks the server whether this page's driver is still signed in: another user may have signed in since the page was opened.
   * Emits `other-user` if not.
   */
  async #isSignedIn() {
    const { results } = await get("drivers/?page_size=1");
    const isSignedIn = results[0]?.id === this.#driver;
    if (!isSignedIn) this.emit("other-user");
    return isSignedIn;
  }

  /**
   * Sends one entry. Throws only errors that stop the round.
   * @param {Entry} entry
   * @param {Set<string | number>} blocked orders and images that failed in this round
   */
  async #sendOne(entry, blocked) {
    const isImage = entry.kind === "image";
    /** @type {MoveResult | OrderRow} */
    let answer;
    try {
      answer = await this.#deliver(entry);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const kind = this.#kindOfFailure(error);
      if (kind === REFUSED) return this.#handleRefusal(entry, error);
      if (kind !== FAILED && !(kind === UNREACHABLE && isImage && !error.retryMs)) throw error;
      blocked.add(isImage ? entry.ref : entry.order);
      return;
    }
    await this.#finish(entry, answer);
  }

  /**
   * Resolves with the server's response. If the server refuses the time, sends the report without it: the move matters more than
   * its time.
   * @param {Entry} entry
   */
  async #deliver(entry) {
    const at = happenedAt(entry);
    try {
      return await this.#send(entry, at);
    } catch (error) {
      if (!(error instanceof ApiError && error.code === "invalid_time")) throw error;
      return this.#send(entry, null);
    }
  }

  /**
   * @param {Entry} entry
   * @param {number | null} when
   */
  async #send(entry, when) {
    const at = when === null ? undefined : new Date(when).toISOString();
    const [method, path, body] = callOf(entry, at);
    const { data } = await request(method, `orders/${entry.order}/${path}`, body);
    return /** @type {MoveResult | OrderRow} */ (data);
  }

  /**
   * @param {Entry} entry
   * @param {MoveResult | OrderRow} data
   */
  async #finish(entry, data) {
    // Emitted before the entry is removed; otherwise the stop's old status would be shown in between.
    this.emit("done", { entry, data });
    this.#storage.delete([entry]);
    await this.#announceChange();
  }

  /**
   * @param {Entry} entry
   * @param {ApiError} error
   */
  async #handleRefusal(entry, { message, code }) {
    // Null if the order is no longer this driver's. The order of an image does not matter.
    const order = entry.kind === "image" ? null : await getOrNull(`orders/${entry.order}/`);
    // The office made the move first, perhaps because the driver called.
    if (order && code === "invalid_transition" && entry.kind === "status" && order.status === entry.to)
      return this.#finish(entry, order);
    /** @type {Entry[]} */
    const refused = [{ ...entry, refused: { detail: message } }];
    // Later reports depend on the refused one. Images are still useful while the order is this driver's.
    /** @param {Entry} other */
    const isObsolete = ({ kind }) => entry.kind !== "image" && (kind !== "image" || !order);
    for (const other of this.#after(entry))
      if (isObsolete(other)) refused.push({ ...other, refused: { detail: null } });
    this.#storage.put(refused);
    await this.#announceChange();
    this.emit(REFUSED, entry);
  }

  /**
   * The entries of the same order that wait after this one.
   * @param {Entry} entry
   */
  #after({ order, ref }) {
    const { waiting } = this;
    const position = waiting.findIndex((other) => other.ref === ref);
    return waiting.slice(position + 1).filter((other) => other.order === order);
  }
}
