/** The driver's stops of today, as the server sent them; stored on the telephone for when there is no connection. */
/** @import { StopsEvents } from "types/driver" */
/** @import { OrderFrame } from "types/events" */
/** @import { LogEnd, OrderRow, OrderStatus } from "types/rows" */
/** @import { Database } from "./database.js" */
import { Emitter } from "../../realtime/emitter.js";
import { getAll, getOrNull } from "../../web/api.js";
import { Refetcher } from "../../web/retry.js";
import { now, today } from "../../web/server-clock.js";
import { doneByDriver, isWithDriver, slotRank, withDriver } from "../../web/statuses.js";
import { dayOf } from "../../web/time.js";

/** A stop of an earlier day that is done today is one of today's: so many days are read. */
const DAYS_BACK = 7;
/** Events that do not carry all that the page shows: the order is read. */
const INCOMPLETE = ["order.created", "order.assigned", "order.updated", "order.urgent"];
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
 * Emits `changed`; `news` with `{type, row}` for a notice to the driver: `assigned`, `gone`; `other-user` (the rows are another
 * driver's); `sign-in`.
 * @extends {Emitter<StopsEvents>}
 */
export class Stops extends Emitter {
  /**
   * When all stops were last loaded, in milliseconds since 1970 (the server's clock).
   * @type {number | null}
   */
  loadedAt = null;
  /**
   * The end of the log before they were loaded.
   * @type {LogEnd | null}
   */
  end = null;
  /** @type {Map<number, OrderRow>} */
  #rows = new Map();
  #database;
  #driver;
  /**
   * Events that came while all stops were being loaded.
   * @type {OrderFrame[] | null}
   */
  #delayed = null;
  /**
   * Resolved after the next try to load all stops.
   * @type {(() => void)[]}
   */
  #loadWaiters = [];
  /** By id, or ALL. */
  #refetcher = new Refetcher(
    (/** @type {number | typeof ALL} */ key) => (key === ALL ? this.#load() : this.#read(key)),
    ({ status }) => status === 401 && this.emit("sign-in"),
  );

  /**
   * @param {Database} database
   * @param {number} driver
   */
  constructor(database, driver) {
    super();
    this.#database = database;
    this.#driver = driver;
    database.on("cleared", () => this.#save());
  }

  get list() {
    return [...this.#rows.values()].filter(isOfToday).sort(inOrder);
  }

  /** Reads what this telephone has stored. */
  async restore() {
    try {
      this.#put(await this.#database.all("stops"));
      this.loadedAt = (await this.#database.loadedAt()) ?? null;
    } catch (error) {
      console.warn("The stored stops cannot be read.", error);
    }
    this.emit("changed");
  }

  /**
   * Loads all stops, until the server has answered. Resolves after the first try. Events that come meanwhile are applied after it.
   * @returns {Promise<void>}
   */
  load() {
    this.#refetcher.add(ALL);
    return new Promise((resolve) => this.#loadWaiters.push(resolve));
  }

  async #load() {
    this.#delayed = [];
    try {
      const { rows, end } = await this.#all();
      if (rows.every(({ driver }) => driver === this.#driver)) {
        this.end = end;
        this.#replace(rows);
      } else this.emit("other-user");
    } finally {
      const later = this.#delayed;
      this.#delayed = null;
      for (const frame of later) this.receive(frame);
      await this.#changed();
      for (const resolve of this.#loadWaiters.splice(0)) resolve();
    }
  }

  /**
   * Once more if the answers showed that it is another day.
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
   * Emits news of stops that came and went, except for the first load.
   * @param {OrderRow[]} rows
   */
  #replace(rows) {
    const isFirst = this.loadedAt === null;
    const before = this.list.filter(isAhead);
    this.#rows.clear();
    this.#put(rows);
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
  #put(rows) {
    for (const row of rows) if (row.version >= (this.#rows.get(row.id)?.version ?? 0)) this.#rows.set(row.id, row);
  }

  /**
   * Applies an event of an order.
   * @param {OrderFrame} frame
   */
  async receive(frame) {
    const { order_id: id, version } = frame.data;
    const row = this.#rows.get(id);
    if (this.#delayed) this.#delayed.push(frame);
    else if (row && version < row.version) return;
    else if (frame.type === "order.unassigned" || frame.data.status === "cancelled") await this.#unassigned(id);
    else if (!row || this.#isIncomplete(frame.type, frame.data.status, row)) this.refetch(id);
    else await this.change(id, { status: frame.data.status, version });
  }

  /**
   * @param {OrderFrame["type"]} type
   * @param {OrderStatus} status
   * @param {OrderRow} row
   */
  #isIncomplete(type, status, row) {
    // Somebody else delivered it: the event does not tell what was collected.
    const isDelivered = status === "delivered" && row.status !== status;
    return INCOMPLETE.includes(type) || isDelivered;
  }

  /**
   * Reads the whole order, or that it is no longer this driver's, until the server has answered.
   * @param {number} id
   */
  refetch(id) {
    this.#refetcher.add(id);
  }

  /** @param {number} id */
  async #read(id) {
    const answer = await getOrNull(`orders/${id}/`);
    if (this.#refetcher.isStale(id)) return;
    if (answer) this.#update(answer);
    else this.#remove(id);
    await this.#changed();
  }

  /** @param {number} id */
  #remove(id) {
    const row = this.#ahead(id);
    this.#rows.delete(id);
    if (row) this.emit("news", { type: "gone", row });
  }

  /**
   * If several events cause a request each, only the first answer is news.
   * @param {OrderRow} answer
   */
  #update(answer) {
    const before = this.#ahead(answer.id);
    this.#put([answer]);
    const row = this.#ahead(answer.id);
    if (row && !before) this.emit("news", { type: "assigned", row });
    // It was moved to another day.
    if (before && !row && isAhead(answer)) this.emit("news", { type: "gone", row: before });
  }

  /**
   * Changes an order without reading it.
   * @param {number} id
   * @param {{ version: number, status?: OrderStatus, amount_collected?: number }} facts
   */
  async change(id, facts) {
    const row = this.#rows.get(id);
    if (!row || facts.version < row.version) return;
    this.#rows.set(id, { ...row, ...facts, updated_at: new Date(now()).toISOString() });
    await this.#changed();
  }

  /** Deletes the stored stops, before somebody else signs in. */
  deleteStored() {
    return this.#database.write("stops", (stops) => stops.clear());
  }

  /** @param {number} id */
  async #unassigned(id) {
    // A request under way may have been read while the order was still this driver's.
    if (this.#refetcher.has(id)) this.refetch(id);
    const row = this.#rows.get(id);
    if (!row) return;
    this.#rows.delete(id);
    this.emit("news", { type: "gone", row });
    await this.#changed();
  }

  async #changed() {
    this.emit("changed");
    await this.#save();
  }

  async #save() {
    const rows = [...this.#rows.values()];
    try {
      await this.#database.write("stops", (stops) => {
        stops.clear();
        for (const row of rows) stops.put(row);
      });
      await this.#database.write("facts", (facts) => facts.put(this.loadedAt, "loadedAt"));
    } catch (error) {
      console.warn("The stops were not stored.", error);
    }
  }
}
