/** The driver's stops of today as the server sent them, stored on the phone for offline use. */
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

/** How many earlier days are loaded: a stop of an earlier day that was done today counts as today's. */
const DAYS_BACK = 7;
/** Events that lack fields which the page shows. After them the order is read again. */
const INCOMPLETE = ["order.created", "order.assigned", "order.updated", "order.urgent"];
const ALL = "all";
const LAST = Number.MAX_SAFE_INTEGER;

/**
 * @param {OrderRow} a
 * @param {OrderRow} b
 */
function compareStops(a, b) {
  const ranks = [
    [a.stop_sequence ?? LAST, b.stop_sequence ?? LAST],
    [a.priority === "urgent" ? 0 : 1, b.priority === "urgent" ? 0 : 1],
    [slotRank(a.time_slot), slotRank(b.time_slot)],
  ];
  return ranks.map(([mine, other]) => mine - other).find((difference) => difference) ?? a.id - b.id;
}

/** @param {OrderRow} row */
const isUnfinished = ({ status }) => isWithDriver(status);

/** @param {OrderRow} row */
function isOfToday(row) {
  if (isUnfinished(row)) return row.scheduled_date <= today();
  return doneByDriver.includes(row.status) && dayOf(row.updated_at) === today();
}

/**
 * Emits `changed`; `news` with `{type, row}`, where type is `assigned` or `gone`, to notify the driver; `other-user` if the rows
 * belong to another driver; `sign-in` if the session has ended.
 * @extends {Emitter<StopsEvents>}
 */
export class Stops extends Emitter {
  /**
   * When all stops were last loaded, in milliseconds since 1970 (the server's clock).
   * @type {number | null}
   */
  loadedAt = null;
  /**
   * The cursor to resume from: the end of the event log just before the stops were read.
   * @type {LogEnd | null}
   */
  end = null;
  /** @type {Map<number, OrderRow>} */
  #rows = new Map();
  #database;
  #driver;
  /**
   * Events received while all stops are being loaded.
   * @type {OrderFrame[] | null}
   */
  #delayed = null;
  /**
   * Resolve functions of `load()`, called after the next attempt.
   * @type {(() => void)[]}
   */
  #loadWaiters = [];
  /** Keys: an order id, or ALL. */
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
    return [...this.#rows.values()].filter(isOfToday).sort(compareStops);
  }

  /** Reads the stops stored on this phone. */
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
   * Loads all stops, with retries until the server answers. Resolves after the first attempt. Events received during an attempt are
   * applied after it.
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
      const delayed = this.#delayed;
      this.#delayed = null;
      for (const frame of delayed) this.receive(frame);
      await this.#emitAndSave();
      for (const resolve of this.#loadWaiters.splice(0)) resolve();
    }
  }

  /**
   * Requests the unfinished and the finished stops. Repeats both if a new day began before the last response.
   * @returns {Promise<{ rows: OrderRow[], end: LogEnd }>}
   */
  async #all() {
    const day = today();
    const first = await getAll(`orders/?status=${withDriver}&scheduled_date_to=${day}`);
    const finished = await getAll(
      `orders/?status=${doneByDriver}&scheduled_date_from=${today(-DAYS_BACK)}&scheduled_date_to=${day}`,
    );
    if (day !== today()) return this.#all();
    return { rows: [...first.rows, ...finished.rows], end: first.end };
  }

  /**
   * Replaces all rows. Emits news of added and removed unfinished stops, unless this phone never loaded stops before.
   * @param {OrderRow[]} rows
   */
  #replace(rows) {
    const isFirst = this.loadedAt === null;
    const before = this.list.filter(isUnfinished);
    this.#rows.clear();
    this.#put(rows);
    this.loadedAt = now();
    if (isFirst) return;
    for (const row of before) if (!this.#rows.has(row.id)) this.emit("news", { type: "gone", row });
    const known = new Set(before.map(({ id }) => id));
    for (const row of this.list.filter(isUnfinished))
      if (!known.has(row.id)) this.emit("news", { type: "assigned", row });
  }

  /**
   * The row, if it is an unfinished stop of today.
   * @param {number} id
   */
  #unfinished(id) {
    const row = this.#rows.get(id);
    return row && isUnfinished(row) && isOfToday(row) ? row : undefined;
  }

  /** @param {OrderRow[]} rows */
  #put(rows) {
    for (const row of rows) if (row.version >= (this.#rows.get(row.id)?.version ?? 0)) this.#rows.set(row.id, row);
  }

  /**
   * Applies an event of an order: changes or removes the row, or reads the order again if the event does not suffice. Ignores
   * events that are older than the row.
   * @param {OrderFrame} frame
   */
  async receive(frame) {
    const { order_id: id, version } = frame.data;
    const row = this.#rows.get(id);
    if (this.#delayed) this.#delayed.push(frame);
    else if (row && version < row.version) return;
    else if (frame.type === "order.unassigned" || frame.data.status === "cancelled") await this.#handleUnassignment(id);
    else if (!row || this.#isIncomplete(frame.type, frame.data.status, row)) this.refetch(id);
    else await this.change(id, { status: frame.data.status, version });
  }

  /**
   * @param {OrderFrame["type"]} type
   * @param {OrderStatus} status
   * @param {OrderRow} row
   */
  #isIncomplete(type, status, row) {
    // Somebody else delivered it, and the event does not have the collected amount.
    const isDelivered = status === "delivered" && row.status !== status;
    return INCOMPLETE.includes(type) || isDelivered;
  }

  /**
   * Reads the order again, with retries until the server answers. Removes it if it is no longer this driver's.
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
    await this.#emitAndSave();
  }

  /** @param {number} id */
  #remove(id) {
    const row = this.#unfinished(id);
    this.#rows.delete(id);
    if (row) this.emit("news", { type: "gone", row });
  }

  /**
   * Stores a row. Emits news if the stop is new today or no longer today: only the first of several responses changes that.
   * @param {OrderRow} answer
   */
  #update(answer) {
    const before = this.#unfinished(answer.id);
    this.#put([answer]);
    const row = this.#unfinished(answer.id);
    if (row && !before) this.emit("news", { type: "assigned", row });
    // The stop was moved to another day.
    if (before && !row && isUnfinished(answer)) this.emit("news", { type: "gone", row: before });
  }

  /**
   * Applies changes to an order without a request, unless the stored version is newer.
   * @param {number} id
   * @param {{ version: number, status?: OrderStatus, amount_collected?: number }} changes
   */
  async change(id, changes) {
    const row = this.#rows.get(id);
    if (!row || changes.version < row.version) return;
    this.#rows.set(id, { ...row, ...changes, updated_at: new Date(now()).toISOString() });
    await this.#emitAndSave();
  }

  /** Deletes the stored stops, so that the next user of the phone does not see them. */
  deleteStored() {
    return this.#database.write("stops", (stops) => stops.clear());
  }

  /** @param {number} id */
  async #handleUnassignment(id) {
    // The server may have answered a running request while the order was still this driver's. Then the order is read again.
    if (this.#refetcher.has(id)) this.refetch(id);
    const row = this.#rows.get(id);
    if (!row) return;
    this.#rows.delete(id);
    this.emit("news", { type: "gone", row });
    await this.#emitAndSave();
  }

  async #emitAndSave() {
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
