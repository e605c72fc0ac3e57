/** Keeps the board up to date: loads everything once, then applies events, and reloads if events are missing. */

import { LuckyGasSocket } from "../../../realtime/client.js";
import { ApiError, getAll, getOrNull } from "../../../web/api.js";
import { gather, pageData } from "../../../web/page.js";
import { Refetcher, retry, retryNow } from "../../../web/retry.js";
import { today } from "../../../web/server-clock.js";
import { closed, open } from "../../../web/statuses.js";
import { laterText, rowOf } from "./store.js";

const SOCKET = "/api/v1/websocket/ws/office";
const ORDER_EVENTS = ["order.created", "order.updated", "order.urgent", "order.cancelled", "order.status_changed"];
/** A report is late if it reaches the server this long after the move that it reports. */
const LATE_MS = 60_000;
/** Collects the ids of incomplete orders for this time, and then reads each. If they are more than MAX_SINGLE, reads all. */
const GATHER_MS = 250;
const MAX_SINGLE = 10;
/** Positions are drawn together, once in this time. */
const POSITIONS_MS = 250;
/** The key of `#refetchOrders` for all orders instead of one. */
const ALL = "all";

/** The time of the move if its report was late; else null. */
function timeIfLate(at, recorded) {
  return Date.parse(recorded) - Date.parse(at) >= LATE_MS ? at : null;
}

/** The note on a late report, with the time of the move; null if the report was not late. */
export function lateText(at, recorded) {
  return timeIfLate(at, recorded) && laterText(at);
}

/** Reloads the page after a 401 or 403: the server then shows the sign-in or, if the clerk's role has changed, another page. */
export function signInAgain({ status }) {
  if (status === 401 || status === 403) location.reload();
}

/** The result of `call`, or `instead` after a permanent refusal, as for a half-typed date. */
async function orElse(call, instead) {
  try {
    return await call();
  } catch (error) {
    if (error instanceof ApiError && !error.isTemporary) return instead;
    throw error;
  }
}

/** An empty list that needs no request. */
const NONE = { rows: [], end: null };
/** An epoch that no log has. The server answers it with a resync. */
const NO_EPOCH = "none";

/** The cursor to resume from after several responses. NO_EPOCH if the database was replaced between two of them. */
function earliest(answers) {
  const ends = answers.map(({ end }) => end).filter((end) => end !== null);
  const [epoch, ...others] = new Set(ends.map((end) => end.epoch));
  return { since: Math.min(...ends.map(({ since }) => Number(since))), epoch: others.length > 0 ? NO_EPOCH : epoch };
}

export class Live {
  #store;
  #fleet;
  #filters;
  #news;
  #changed;
  #wanted;
  /** The last version that was news: “order id version”. */
  #newestVersion = "";
  #fleetEvents = 0;
  #refetchOrders = new Refetcher((id) => (id === ALL ? this.#loadOrders() : this.#readOne(id)), signInAgain);
  #refetchRoutes = new Refetcher((id) => this.#readRoute(id), signInAgain);
  #refetchFleet = new Refetcher(() => this.#loadFleet(), signInAgain);
  #refetchClosed = new Refetcher(async () => this.take((await this.#closedOrders()).rows), signInAgain);

  /**
   * `changed` has callbacks: `fleet()`, `positions(ids)` (of drivers), `order(id)` (the order, its proof or its messages), `all()`
   * (after a full reload).
   * `wanted()`: the ids of orders that other parts show, which a reload never removes.
   */
  constructor({ store, fleet, filters, news, changed, wanted }) {
    this.#store = store;
    this.#fleet = fleet;
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

  /** Loads orders, drivers and routes. Returns the ids of the orders, and the cursor to resume from. */
  async #load() {
    const [orders, fleet] = await Promise.all([this.#loadOrders(), this.#loadFleet()]);
    return { ids: orders.ids, end: earliest([orders, fleet]) };
  }

  /** Loads all open orders, and those that were closed on the chosen day. Returns their ids, and the cursor to resume from. */
  async #loadOrders() {
    const answers = await Promise.all([getAll(`orders/?status=${open}`), this.#closedOrders()]);
    const rows = answers.flatMap((answer) => answer.rows);
    this.take(rows);
    return { ids: rows.map(({ id }) => id), end: earliest(answers) };
  }

  /** Reloads drivers and routes. */
  readFleet() {
    this.#refetchFleet.add("fleet");
  }

  /** Loads drivers, unfinished routes and, if the chosen day is past, its routes. Returns the cursor to resume from. */
  async #loadFleet() {
    const [drivers, routes] = [this.#fleet.drivers, this.#fleet.routes].map((known) => [...known.keys()]);
    const eventsBefore = this.#fleetEvents;
    const answers = await Promise.all([getAll("drivers/locations/"), this.#unfinishedRoutes(), this.#pastRoutes()]);
    this.#fleet.setDrivers(answers[0].rows);
    this.#fleet.setRoutes([...answers[1].rows, ...answers[2].rows], routes);
    this.#changed.fleet();
    this.#changed.positions([...drivers, ...this.#fleet.drivers.keys()]);
    // The responses may be older than events received during the requests.
    if (eventsBefore !== this.#fleetEvents) this.readFleet();
    return { end: earliest(answers) };
  }

  #unfinishedRoutes() {
    return getAll(`routes/?date_from=${today()}&status=planned,active`);
  }

  #pastRoutes() {
    const { day } = this.#filters;
    if (day === null || day >= today()) return NONE;
    return orElse(() => getAll(`routes/?date=${day}&status=planned,active,completed`), NONE);
  }

  /** Reloads everything, because events are missing. Keeps the orders of events received during the reload. */
  #resync = async () => {
    const before = this.#store.puts;
    const { ids } = await retry(() => this.#load(), signInAgain);
    this.#store.removeExcept(new Set([...ids, ...this.#wanted()]), before);
    this.#changed.all();
  };

  #closedOrders() {
    return orElse(() => getAll(`orders/?status=${closed}&day=${this.#filters.closedDay}`), NONE);
  }

  /** Loads the closed orders and routes of the chosen day. Call it when another day is chosen or a new day begins. */
  dayChanged() {
    this.#refetchClosed.add("closed");
    this.readFleet();
  }

  take(rows) {
    this.#fleet.addNames(rows);
    this.#store.readAll(rows);
  }

  #listen(socket) {
    socket.on("connected", retryNow);
    for (const type of ORDER_EVENTS) socket.on(type, this.#handleOrder);
    for (const type of ["route.assigned", "route.updated"]) socket.on(type, this.#handleRoute);
    for (const type of ["driver.online", "driver.offline"]) socket.on(type, this.#handlePresence);
    for (const type of ["notification.sent", "notification.failed"]) socket.on(type, this.#handleMessage);
    socket.on("driver.location", this.#handlePositions);
    socket.on("delivery.confirmed", ({ data }) => this.#changed.order(data.order_id));
    socket.on("customer.updated", ({ data }) => this.#store.rename(data.customer_id, data.name));
    socket.on("resync", this.#resync);
    socket.on("unauthenticated", () => location.reload());
  }

  #handleOrder = (frame) => {
    const { type, data, timestamp, channel } = frame;
    // Events on the channels of drivers and customers lack fields that the board needs.
    if (channel !== "orders") return;
    const late = type === "order.status_changed" ? { reported_later: timeIfLate(data.at, timestamp) } : {};
    const isNews = this.#isNews(data);
    if (!this.#store.put({ ...rowOf(frame), ...late })) return;
    if (this.#store.isIncomplete(data.order_id)) this.#readLater(data.order_id);
    this.#changed.order(data.order_id);
    if (isNews) this.#notify(frame);
  };

  /** Whether the event is newer than the loaded order. One version may cause several events, such as created and urgent. */
  #isNews({ order_id: id, version }) {
    if (version > (this.#store.get(id)?.version ?? 0)) this.#newestVersion = `${id} ${version}`;
    return this.#newestVersion === `${id} ${version}`;
  }

  #notify({ type, data: { order_id: id, priority, status, reason } }) {
    if (type === "order.created" && priority !== "urgent") this.#news.add("created", id);
    if (type === "order.urgent") this.#news.add("urgent", id);
    if (type === "order.status_changed" && status === "failed") this.#news.add("failed", id, reason);
  }

  #readLater = gather(GATHER_MS, (ids) => {
    for (const id of ids.length > MAX_SINGLE ? [ALL] : ids) this.#refetchOrders.add(id);
  });

  async #readOne(id) {
    const row = await getOrNull(`orders/${id}/`);
    if (row) this.take([row]);
  }

  #handleRoute = ({ data, channel }) => {
    if (channel !== "routes") return;
    this.#fleetEvents += 1;
    const known = this.#fleet.routes.get(data.route_id);
    if (known) Object.assign(known, { driver: data.driver_id, stops: data.total_stops, date: data.date });
    this.#changed.fleet();
    this.#readRouteLater(data.route_id);
  };

  #readRouteLater = gather(GATHER_MS, (ids) => {
    for (const id of ids) this.#refetchRoutes.add(id);
  });

  /** Reads a route, because events do not have its name and status. */
  async #readRoute(id) {
    const row = await getOrNull(`routes/${id}/`);
    this.#fleet.setRoutes(row ? [row] : [], [id]);
    this.#changed.fleet();
  }

  #handlePresence = ({ type, data }) => {
    this.#fleetEvents += 1;
    const driver = this.#fleet.drivers.get(data.driver_id);
    if (!driver) return this.readFleet();
    driver.online = type === "driver.online";
    this.#changed.fleet();
    this.#changed.positions([data.driver_id]);
  };

  #handlePositions = (frames) => {
    const moved = new Set();
    for (const {
      data: { driver_id: id, latitude, longitude },
    } of frames) {
      const driver = this.#fleet.drivers.get(id);
      if (!driver) continue;
      Object.assign(driver, { latitude, longitude });
      moved.add(id);
    }
    this.#changed.positions([...moved]);
  };

  #handleMessage = ({ type, data }) => {
    this.#changed.order(data.order_id);
    if (type === "notification.failed" && data.status !== "suppressed") this.#news.add("sms", data.order_id);
  };
}
