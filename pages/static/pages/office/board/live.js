/** Keeps the board's state that of the server: read once, then event by event, and read afresh where events are missing. */

import { LuckyGasSocket } from "../../../realtime/client.js";
import { ApiError, get, getAll } from "../../../web/api.js";
import { gather, pageData } from "../../../web/page.js";
import { Refetcher, retry, retryNow } from "../../../web/retry.js";
import { followClock, today } from "../../../web/server-clock.js";
import { closed, open } from "../../../web/statuses.js";
import { laterText, rowOf } from "./store.js";

const SOCKET = "/api/v1/websocket/ws/office";
const ORDER_EVENTS = ["order.created", "order.updated", "order.urgent", "order.cancelled", "order.status_changed"];
/** A report is late when so much lies between what happened and our learning of it. */
const LATE_MS = 60_000;
/** What events left out is read together; beyond so many orders all are read. */
const GATHER_MS = 250;
const MOST_SINGLE = 10;
const POSITIONS_MS = 250;
/** Of orders, all of them instead of one. */
const ALL = "all";

/** When it happened, where it was reported long after; else null. */
function reportedLater(at, learned) {
  return Date.parse(learned) - Date.parse(at) >= LATE_MS ? at : null;
}

/** “Reported late”, with the hour at which it happened; null where it was told at once. */
export function lateText(at, learned) {
  return reportedLater(at, learned) && laterText(at);
}

/** Who is signed out is sent to the sign-in, and comes back to this board. */
export function signInAgain({ status }) {
  if (status === 401 || status === 403) location.reload();
}

/** `instead` where what is asked for is not there: it went, or the clerk is still typing its day. */
async function found(call, instead) {
  try {
    return await call();
  } catch (error) {
    if (error instanceof ApiError && !error.isTemporary) return instead;
    throw error;
  }
}

/** A list that nobody need be asked for. */
const NONE = { rows: [], end: null };
/** No log has it: the server says that all is to be loaded afresh. */
const NO_EPOCH = "none";

/** Where to go on after several answers. Between two of them another database may have come in the place of the one before. */
function earliest(answers) {
  const ends = answers.map(({ end }) => end).filter((end) => end !== null);
  const [epoch, ...others] = new Set(ends.map((end) => end.epoch));
  return { since: Math.min(...ends.map(({ since }) => Number(since))), epoch: others.length > 0 ? NO_EPOCH : epoch };
}

export class Live {
  #store;
  #crew;
  #filters;
  #news;
  #changed;
  #wanted;
  #newest = "";
  #crewEvents = 0;
  #unreadOrders = new Refetcher((id) => (id === ALL ? this.#loadOrders() : this.#readOne(id)), signInAgain);
  #unreadRoutes = new Refetcher((id) => this.#readRoute(id), signInAgain);
  #unreadCrew = new Refetcher(() => this.#loadCrew(), signInAgain);
  #unreadClosed = new Refetcher(async () => this.take((await this.#closed()).rows), signInAgain);

  /**
   * `changed.crew()`, `changed.positions(ids)`, `changed.order(id)` (its proof or messages), `changed.all()` (read afresh).
   * `wanted()`: the ids of orders that are looked at, which stay whatever their day.
   */
  constructor({ store, crew, filters, news, changed, wanted }) {
    this.#store = store;
    this.#crew = crew;
    this.#filters = filters;
    this.#news = news;
    this.#changed = changed;
    this.#wanted = wanted;
  }

  async start() {
    const { end } = await retry(() => this.#load(), signInAgain);
    const socket = new LuckyGasSocket(SOCKET, {
      ...end,
      user: pageData().user,
      batch: { type: "driver.location", ms: POSITIONS_MS },
    });
    this.#listen(socket);
    return socket;
  }

  /** The ids of the orders there are, and the event to go on from. */
  async #load() {
    const [orders, crew] = await Promise.all([this.#loadOrders(), this.#loadCrew()]);
    return { ids: orders.ids, end: earliest([orders, crew]) };
  }

  /** All that is open, and what was closed on the day that is looked at. */
  async #loadOrders() {
    const answers = await Promise.all([getAll(`orders/?status=${open}`), this.#closed()]);
    const rows = answers.flatMap((answer) => answer.rows);
    this.take(rows);
    return { ids: rows.map(({ id }) => id), end: earliest(answers) };
  }

  /** Drivers and routes are others by now. */
  readCrew() {
    this.#unreadCrew.add("crew");
  }

  /** Drivers, and the routes that are ahead or of the day that is looked at, as they are now. */
  async #loadCrew() {
    const [drivers, routes] = [this.#crew.drivers, this.#crew.routes].map((known) => [...known.keys()]);
    const told = this.#crewEvents;
    const answers = await Promise.all([getAll("drivers/locations/"), this.#ahead(), this.#past()]);
    this.#crew.readDrivers(answers[0].rows);
    this.#crew.readRoutes([...answers[1].rows, ...answers[2].rows], routes);
    this.#changed.crew();
    this.#changed.positions([...drivers, ...this.#crew.drivers.keys()]);
    // They may have been read before what was told meanwhile.
    if (told !== this.#crewEvents) this.readCrew();
    return { end: earliest(answers) };
  }

  #ahead() {
    return getAll(`routes/?date_from=${today()}&status=planned,active`);
  }

  #past() {
    const { day } = this.#filters;
    if (day === null || day >= today()) return NONE;
    return found(() => getAll(`routes/?date=${day}&status=planned,active,completed`), NONE);
  }

  /** Events are missing. What came by new ones while all was read is not in what was read, and stays. */
  #resync = async () => {
    const before = this.#store.puts;
    const { ids } = await retry(() => this.#load(), signInAgain);
    this.#store.keep(new Set([...ids, ...this.#wanted()]), before);
    this.#changed.all();
  };

  #closed() {
    return found(() => getAll(`orders/?status=${closed}&day=${this.#filters.closedDay}`), NONE);
  }

  /** Another day is looked at, or today is another. */
  dayChanged() {
    this.#unreadClosed.add("closed");
    this.readCrew();
  }

  take(rows) {
    this.#crew.learnNames(rows);
    this.#store.readAll(rows);
  }

  #listen(socket) {
    followClock(socket);
    socket.on("connected", retryNow);
    for (const type of ORDER_EVENTS) socket.on(type, this.#order);
    for (const type of ["route.assigned", "route.updated"]) socket.on(type, this.#route);
    for (const type of ["driver.online", "driver.offline"]) socket.on(type, this.#presence);
    for (const type of ["notification.sent", "notification.failed"]) socket.on(type, this.#message);
    socket.on("driver.location", this.#positions);
    socket.on("delivery.confirmed", ({ data }) => this.#changed.order(data.order_id));
    socket.on("customer.updated", ({ data }) => this.#store.rename(data.customer_id, data.name));
    socket.on("resync", this.#resync);
    socket.on("unauthenticated", () => location.reload());
  }

  #order = (frame) => {
    const { type, data, timestamp, channel } = frame;
    // What is said to a driver or customer of an order leaves out what the board needs.
    if (channel !== "orders") return;
    const late = type === "order.status_changed" ? { reported_later: reportedLater(data.at, timestamp) } : {};
    const isNews = this.#isNews(data);
    if (!this.#store.put({ ...rowOf(frame), ...late })) return;
    if (this.#store.lacks(data.order_id)) this.#readLater(data.order_id);
    this.#changed.order(data.order_id);
    if (isNews) this.#tell(frame);
  };

  /** Not what was on the board when it was loaded. One version may come as several events: changed, and urgent. */
  #isNews({ order_id: id, version }) {
    if (version > (this.#store.get(id)?.version ?? 0)) this.#newest = `${id} ${version}`;
    return this.#newest === `${id} ${version}`;
  }

  #tell({ type, data: { order_id: id, priority, status, reason } }) {
    if (type === "order.created" && priority !== "urgent") this.#news.tell("created", id);
    if (type === "order.urgent") this.#news.tell("urgent", id);
    if (type === "order.status_changed" && status === "failed") this.#news.tell("failed", id, reason);
  }

  #readLater = gather(GATHER_MS, (ids) => {
    for (const id of ids.length > MOST_SINGLE ? [ALL] : ids) this.#unreadOrders.add(id);
  });

  async #readOne(id) {
    const row = await found(() => get(`orders/${id}/`), null);
    if (row) this.take([row]);
  }

  #route = ({ data, channel }) => {
    if (channel !== "routes") return;
    this.#crewEvents += 1;
    const known = this.#crew.routes.get(data.route_id);
    if (known) Object.assign(known, { driver: data.driver_id, stops: data.total_stops, date: data.date });
    this.#changed.crew();
    this.#readRouteLater(data.route_id);
  };

  #readRouteLater = gather(GATHER_MS, (ids) => {
    for (const id of ids) this.#unreadRoutes.add(id);
  });

  /** Its name, and whether it is still to be driven, is in no event. */
  async #readRoute(id) {
    const row = await found(() => get(`routes/${id}/`), null);
    this.#crew.readRoutes(row ? [row] : [], [id]);
    this.#changed.crew();
  }

  #presence = ({ type, data }) => {
    this.#crewEvents += 1;
    const driver = this.#crew.drivers.get(data.driver_id);
    if (!driver) return this.readCrew();
    driver.online = type === "driver.online";
    this.#changed.crew();
    this.#changed.positions([data.driver_id]);
  };

  #positions = (frames) => {
    const moved = new Set();
    for (const {
      data: { driver_id: id, latitude, longitude },
    } of frames) {
      const driver = this.#crew.drivers.get(id);
      if (!driver) continue;
      Object.assign(driver, { latitude, longitude });
      moved.add(id);
    }
    this.#changed.positions([...moved]);
  };

  #message = ({ type, data }) => {
    this.#changed.order(data.order_id);
    if (type === "notification.failed" && data.status !== "suppressed") this.#news.tell("sms", data.order_id);
  };
}
