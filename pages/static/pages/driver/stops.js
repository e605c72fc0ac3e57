/** The driver's stops of today: what the server said of them, kept for when it cannot be asked. */
/** @import { StopsEvents } from "types/driver" */
/** @import { OrderFrame } from "types/events" */
/** @import { LogEnd, OrderRow, OrderStatus } from "types/rows" */
/** @import { Store } from "./store.js" */
import { Emitter } from "../../realtime/emitter.js";
import { ApiError, get, getAll } from "../../web/api.js";
import { Refetcher } from "../../web/retry.js";
import { now, today } from "../../web/server-clock.js";
import { doneByDriver, isWithDriver, slotRank, withDriver } from "../../web/statuses.js";
import { dayOf } from "../../web/time.js";

/** A stop of an earlier day that is done today is today's. */
const DAYS_BACK = 7;
/** By these an order shows more than the event says, or is new here: it is asked for. */
const WHOLE = ["order.created", "order.assigned", "order.updated", "order.urgent"];
const ALL = "all";
const LAST = Number.MAX_SAFE_INTEGER;

/**
 * @param {OrderRow} a
 * @param {OrderRow} b
 */
function inOrder(a, b) {
  const ranks = [
    [a.stop_sequence ?? LAST, b.stop_sequence ?? LAST],
    [a.priority === "urgent" ? 0 : 1, b.priority === "urgent" ? 0 : 1],
    [slotRank(a.time_slot), slotRank(b.time_slot)],
  ];
  return ranks.map(([mine, other]) => mine - other).find((difference) => difference) ?? a.id - b.id;
}

/** @param {OrderRow} row */
const isAhead = ({ status }) => isWithDriver(status);

/** @param {OrderRow} row */
function isOfToday(row) {
  if (isAhead(row)) return row.scheduled_date <= today();
  return doneByDriver.includes(row.status) && dayOf(row.updated_at) === today();
}

/**
 * Tells `changed`; `news` with `{type, row}` of what the driver must be told: `assigned`, `gone`; `stranger` (what the server
 * says is another driver's); `sign-in`.
 * @extends {Emitter<StopsEvents>}
 */
export class Stops extends Emitter {
  /**
   * When the server last said all of it, in milliseconds since 1970 (its clock).
   * @type {number | null}
   */
  loadedAt = null;
  /**
   * The end of the log before that.
   * @type {LogEnd | null}
   */
  end = null;
  /** @type {Map<number, OrderRow>} */
  #rows = new Map();
  #store;
  #driver;
  /** @type {OrderFrame[] | null} */
  #meanwhile = null;
  /**
   * Whoever waits for the next answer to ALL, or for the next time that there is none.
   * @type {(() => void)[]}
   */
  #waiting = [];
  /** By id, or ALL. */
  #unread = new Refetcher(
    (/** @type {number | typeof ALL} */ key) => (key === ALL ? this.#load() : this.#read(key)),
    ({ status }) => status === 401 && this.emit("sign-in"),
  );

  /**
   * @param {Store} store
   * @param {number} driver
   */
  constructor(store, driver) {
    super();
    this.#store = store;
    this.#driver = driver;
    store.on("emptied", () => this.#keep());
  }

  get list() {
    return [...this.#rows.values()].filter(isOfToday).sort(inOrder);
  }

  /** What this telephone knows by itself. */
  async recall() {
    try {
      this.#hold(await this.#store.all("stops"));
      this.loadedAt = (await this.#store.loadedAt()) ?? null;
    } catch (error) {
      console.warn("Nothing that was kept can be read.", error);
    }
    this.emit("changed");
  }

  /**
   * Reads all from the server, until it has answered. Resolves with the first try; what is told meanwhile comes after.
   * @returns {Promise<void>}
   */
  load() {
    this.#unread.add(ALL);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #load() {
    this.#meanwhile = [];
    try {
      const { rows, end } = await this.#all();
      if (rows.every(({ driver }) => driver === this.#driver)) {
        this.end = end;
        this.#replace(rows);
      } else this.emit("stranger");
    } finally {
      const later = this.#meanwhile;
      this.#meanwhile = null;
      for (const frame of later) this.take(frame);
      await this.#changed();
      for (const resolve of this.#waiting.splice(0)) resolve();
    }
  }

  /**
   * Once more where the answers said that it is another day.
   * @returns {Promise<{ rows: OrderRow[], end: LogEnd }>}
   */
  async #all() {
    const day = today();
    const first = await getAll(`orders/?status=${withDriver}&scheduled_date_to=${day}`);
    const past = await getAll(
      `orders/?status=${doneByDriver}&scheduled_date_from=${today(-DAYS_BACK)}&scheduled_date_to=${day}`,
    );
    if (day !== today()) return this.#all();
    return { rows: [...first.rows, ...past.rows], end: first.end };
  }

  /**
   * What came and went is told, but for the first time, when all of it came.
   * @param {OrderRow[]} rows
   */
  #replace(rows) {
    const isFirst = this.loadedAt === null;
    const before = this.list.filter(isAhead);
    this.#rows.clear();
    this.#hold(rows);
    this.loadedAt = now();
    if (isFirst) return;
    for (const row of before) if (!this.#rows.has(row.id)) this.emit("news", { type: "gone", row });
    const known = new Set(before.map(({ id }) => id));
    for (const row of this.list.filter(isAhead)) if (!known.has(row.id)) this.emit("news", { type: "assigned", row });
  }

  /**
   * The row, while it is a stop of today that is still to be made.
   * @param {number} id
   */
  #ahead(id) {
    const row = this.#rows.get(id);
    return row && isAhead(row) && isOfToday(row) ? row : undefined;
  }

  /** @param {OrderRow[]} rows */
  #hold(rows) {
    for (const row of rows) if (row.version >= (this.#rows.get(row.id)?.version ?? 0)) this.#rows.set(row.id, row);
  }

  /**
   * One event of an order.
   * @param {OrderFrame} frame
   */
  async take(frame) {
    const { order_id: id, version } = frame.data;
    const row = this.#rows.get(id);
    if (this.#meanwhile) this.#meanwhile.push(frame);
    else if (row && version < row.version) return;
    else if (frame.type === "order.unassigned" || frame.data.status === "cancelled") await this.#lost(id);
    else if (!row || this.#saysMore(frame.type, frame.data.status, row)) this.ask(id);
    else await this.change(id, { status: frame.data.status, version });
  }

  /**
   * @param {OrderFrame["type"]} type
   * @param {OrderStatus} status
   * @param {OrderRow} row
   */
  #saysMore(type, status, row) {
    // By another, who knows what was collected.
    const isDelivered = status === "delivered" && row.status !== status;
    return WHOLE.includes(type) || isDelivered;
  }

  /**
   * Reads the whole order, or that it is no longer ours, until the server has answered.
   * @param {number} id
   */
  ask(id) {
    this.#unread.add(id);
  }

  /** @param {number} id */
  async #read(id) {
    const answer = await this.#present(id);
    if (this.#unread.isStale(id)) return;
    if (answer) this.#took(answer);
    else this.#goes(id);
    await this.#changed();
  }

  /**
   * Null where it is no longer ours.
   * @param {number} id
   * @returns {Promise<OrderRow | null>}
   */
  async #present(id) {
    try {
      return await get(`orders/${id}/`);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404 && !error.isTemporary) return null;
      throw error;
    }
  }

  /** @param {number} id */
  #goes(id) {
    const row = this.#ahead(id);
    this.#rows.delete(id);
    if (row) this.emit("news", { type: "gone", row });
  }

  /**
   * Of several events that each ask, the first answer is news.
   * @param {OrderRow} answer
   */
  #took(answer) {
    const before = this.#ahead(answer.id);
    this.#hold([answer]);
    const row = this.#ahead(answer.id);
    if (row && !before) this.emit("news", { type: "assigned", row });
    // On another day from now on.
    if (before && !row && isAhead(answer)) this.emit("news", { type: "gone", row: before });
  }

  /**
   * What is known of an order without asking.
   * @param {number} id
   * @param {{ version: number, status?: OrderStatus, amount_collected?: number }} facts
   */
  async change(id, facts) {
    const row = this.#rows.get(id);
    if (!row || facts.version < row.version) return;
    this.#rows.set(id, { ...row, ...facts, updated_at: new Date(now()).toISOString() });
    await this.#changed();
  }

  /** What the next one to sign in must not find. */
  forget() {
    return this.#store.write("stops", (stops) => stops.clear());
  }

  /** @param {number} id */
  async #lost(id) {
    // What is on its way may have been read while it was still ours.
    if (this.#unread.has(id)) this.ask(id);
    const row = this.#rows.get(id);
    if (!row) return;
    this.#rows.delete(id);
    this.emit("news", { type: "gone", row });
    await this.#changed();
  }

  async #changed() {
    this.emit("changed");
    await this.#keep();
  }

  async #keep() {
    const rows = [...this.#rows.values()];
    try {
      await this.#store.write("stops", (stops) => {
        stops.clear();
        for (const row of rows) stops.put(row);
      });
      await this.#store.write("facts", (facts) => facts.put(this.loadedAt, "loadedAt"));
    } catch (error) {
      console.warn("The stops were not kept.", error); // what is shown came over the line and stays
    }
  }
}
