/** The driver's stops of today: what the server said of them, kept for when it cannot be asked. */
import { all, get } from "../../web/api.js";
import { Unread } from "../../web/retry.js";
import { dayOf, now, today } from "../../web/server-clock.js";
import { Emitter } from "../../realtime/emitter.js";

const OPEN = ["assigned", "delivering", "arriving"];
const DONE = ["delivered", "failed"];
/** A stop of an earlier day that is done today is today's. */
const DAYS_BACK = 7;
/** By these an order shows more than the event says, or is new here: it is asked for. */
const WHOLE = ["order.created", "order.assigned", "order.updated", "order.urgent"];
const ALL = "all";
const LAST = Number.MAX_SAFE_INTEGER;
const SLOTS = ["morning", "afternoon", "evening", "anytime"];

function inOrder(a, b) {
  const ranks = [
    [a.stop_sequence ?? LAST, b.stop_sequence ?? LAST],
    [a.priority === "urgent" ? 0 : 1, b.priority === "urgent" ? 0 : 1],
    [SLOTS.indexOf(a.time_slot), SLOTS.indexOf(b.time_slot)],
  ];
  return ranks.map(([mine, other]) => mine - other).find((difference) => difference) ?? a.id - b.id;
}

const isOpen = ({ status }) => OPEN.includes(status);

function isOfToday(row) {
  if (isOpen(row)) return row.scheduled_date <= today();
  return DONE.includes(row.status) && dayOf(row.updated_at) === today();
}

/**
 * Tells `changed`; `news` with `{type, row}` of what the driver must be told: `assigned`, `gone`; `stranger` (what the server
 * says is another driver's); `sign-in`.
 */
export class Stops extends Emitter {
  /** When the server last said all of it, in milliseconds since 1970 (its clock). */
  loadedAt = null;
  /** The end of the log before that, as `LuckyGasSocket` takes it. */
  end = null;
  #rows = new Map();
  #store;
  #driver;
  #meanwhile = null;
  /** Whoever waits for the next answer to ALL, or for the next time that there is none. */
  #waiting = [];
  /** By id, or ALL. */
  #unread = new Unread(
    (key) => (key === ALL ? this.#load() : this.#read(key)),
    ({ status }) => status === 401 && this.emit("sign-in"),
  );

  constructor(store, driver) {
    super();
    this.#store = store;
    this.#driver = driver;
    store.on("emptied", () => this.#keep());
  }

  get list() {
    return [...this.#rows.values()].filter(isOfToday).sort(inOrder);
  }

  of(id) {
    return this.#rows.get(id);
  }

  /** What this telephone knows by itself. */
  async recall() {
    try {
      this.#hold(await this.#store.all("stops"));
      this.loadedAt = (await this.#store.fact("loadedAt")) ?? null;
    } catch (error) {
      console.warn("Nothing that was kept can be read.", error);
    }
    this.emit("changed");
  }

  /** Reads all from the server, until it has answered. Resolves with the first try; what is told meanwhile comes after. */
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

  /** Once more where the answers said that it is another day. */
  async #all() {
    const day = today();
    const first = await all(`orders/?status=${OPEN}&scheduled_date_to=${day}`);
    const past = await all(`orders/?status=${DONE}&scheduled_date_from=${today(-DAYS_BACK)}&scheduled_date_to=${day}`);
    if (day !== today()) return this.#all();
    return { rows: [...first.rows, ...past.rows], end: first.end };
  }

  /** What came and went is told, but for the first time, when all of it came. */
  #replace(rows) {
    const isFirst = this.loadedAt === null;
    const before = this.list.filter(isOpen);
    this.#rows.clear();
    this.#hold(rows);
    this.loadedAt = now();
    if (isFirst) return;
    for (const row of before) if (!this.#rows.has(row.id)) this.emit("news", { type: "gone", row });
    const known = new Set(before.map(({ id }) => id));
    for (const row of this.list.filter(isOpen)) if (!known.has(row.id)) this.emit("news", { type: "assigned", row });
  }

  /** The row, while it is a stop of today that is still to be made. */
  #ahead(id) {
    const row = this.#rows.get(id);
    return row && isOpen(row) && isOfToday(row) ? row : undefined;
  }

  #hold(rows) {
    for (const row of rows) if (!(this.#rows.get(row.id)?.version > row.version)) this.#rows.set(row.id, row);
  }

  /** One event of an order. */
  async take(frame) {
    if (this.#meanwhile) return this.#meanwhile.push(frame);
    const { order_id: id, version, status } = frame.data;
    const row = this.#rows.get(id);
    if (row && version < row.version) return undefined;
    const isLost = frame.type === "order.unassigned" || status === "cancelled";
    // What is on its way may have been read while it was still ours.
    if (isLost && this.#unread.has(id)) this.ask(id);
    if (isLost) return this.#lose(row);
    const isDelivered = status === "delivered" && row?.status !== status; // by another, who knows what was collected
    if (WHOLE.includes(frame.type) || !row || isDelivered) return this.ask(id);
    return this.change(id, { status, version });
  }

  /** Reads the whole order, or that it is no longer ours, until the server has answered. */
  ask(id) {
    this.#unread.add(id);
  }

  async #read(id) {
    const answer = await this.#present(id);
    if (this.#unread.isOld(id)) return;
    if (answer) this.#took(answer);
    else this.#goes(id);
    await this.#changed();
  }

  /** Null where it is no longer ours. */
  async #present(id) {
    try {
      return await get(`orders/${id}/`);
    } catch (error) {
      if (error.status !== 404 || error.mayPass) throw error;
      return null;
    }
  }

  #goes(id) {
    const row = this.#ahead(id);
    this.#rows.delete(id);
    if (row) this.emit("news", { type: "gone", row });
  }

  /** Of several events that each ask, the first answer is news. */
  #took(answer) {
    const before = this.#ahead(answer.id);
    this.#hold([answer]);
    const row = this.#ahead(answer.id);
    if (row && !before) this.emit("news", { type: "assigned", row });
    // On another day from now on.
    if (before && !row && isOpen(answer)) this.emit("news", { type: "gone", row: before });
  }

  /** What is known of an order without asking. */
  async change(id, { version, ...fields }) {
    const row = this.#rows.get(id);
    if (!row || version < row.version) return;
    Object.assign(row, fields, { version, updated_at: new Date(now()).toISOString() });
    await this.#changed();
  }

  /** What the next one to sign in must not find. */
  forget() {
    return this.#store.write("stops", (stops) => stops.clear());
  }

  async #lose(row) {
    if (!row) return;
    this.#rows.delete(row.id);
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
