/** The list of drivers and routes next to the board, with online state and order counts. Cards can be dropped on them. */
import { copyTemplate, fill, find } from "../../../web/page.js";
import { today } from "../../../web/server-clock.js";
import { isWithDriver } from "../../../web/statuses.js";
import { shortDay } from "../../../web/time.js";

/** Whether the route is neither finished nor of a past day. */
function isUnfinished({ status, date }) {
  return (status === "planned" || status === "active") && date >= today();
}

/** Whether the route is of a past day and was not cancelled. */
function isPast({ status, date }) {
  return status !== "cancelled" && date < today();
}

/** Inserts or moves `element` to this position, unless it is there already. */
function place(list, element, position) {
  if (list.children[position] !== element) list.insertBefore(element, list.children[position] ?? null);
}

export class Fleet {
  /** By id: `{id, name, online, latitude, longitude}`. */
  drivers = new Map();
  /** By id: `{id, date, name, driver, stops}`. */
  routes = new Map();
  #rows = new Map();
  #names = new Map();
  #root;
  #store;
  #filters;

  /** `filters` provides the chosen day. */
  constructor(root, store, filters) {
    this.#root = root;
    this.#store = store;
    this.#filters = filters;
  }

  /** Replaces the drivers. `rows` has all active ones. */
  setDrivers(rows) {
    const ids = new Set(rows.map(({ driver }) => driver));
    for (const id of [...this.drivers.keys()]) if (!ids.has(id)) this.drivers.delete(id);
    for (const { driver: id, name, ...where } of rows) {
      this.drivers.set(id, { ...this.drivers.get(id), id, name, ...where });
      this.#names.set(id, name);
    }
  }

  /** Updates routes. Removes those of `requestedIds` that are missing in `rows` or no longer shown. */
  setRoutes(rows, requestedIds) {
    const ids = new Set(rows.filter((row) => isUnfinished(row) || isPast(row)).map(({ id }) => id));
    for (const id of requestedIds) if (!ids.has(id)) this.routes.delete(id);
    for (const { id, date, name, driver, total_stops: stops } of rows) {
      if (ids.has(id)) this.routes.set(id, { id, date, name, driver, stops });
    }
  }

  /** Adds the drivers' names in these orders: inactive drivers are missing in `setDrivers`. */
  addNames(rows) {
    for (const { driver, driver_name: name } of rows) if (driver && name) this.#names.set(driver, name);
  }

  driverName = (id) => this.#names.get(id) ?? "";

  routeName(id) {
    const { date, name, driver } = this.routes.get(id);
    return [shortDay(date), name, this.driverName(driver)].filter(Boolean).join(" ");
  }

  #counts() {
    const counts = new Map();
    for (const order of this.#store) {
      const { driver, status } = order;
      if (driver && isWithDriver(status) && this.#filters.isOnDay(order))
        counts.set(driver, (counts.get(driver) ?? 0) + 1);
    }
    return counts;
  }

  #routesOfDay() {
    const { day } = this.#filters;
    const routes = [...this.routes.values()].filter(({ date }) => (day === null ? date >= today() : date === day));
    return routes.sort((a, b) => a.date.localeCompare(b.date) || a.id - b.id);
  }

  draw = () => {
    const counts = this.#counts();
    const drivers = [...this.drivers.values()];
    for (const [position, driver] of drivers.entries()) this.#drawDriver(driver, counts.get(driver.id) ?? 0, position);
    const routes = this.#routesOfDay();
    for (const [position, route] of routes.entries()) this.#drawRoute(route, position);
    this.#removeRowsExcept(
      new Set([...drivers.map(({ id }) => `driver:${id}`), ...routes.map(({ id }) => `route:${id}`)]),
    );
  };

  #row(kind, id) {
    const key = `${kind}:${id}`;
    if (!this.#rows.has(key)) {
      const row = copyTemplate(`${kind}-row`);
      row.dataset.target = key;
      this.#rows.set(key, row);
    }
    return this.#rows.get(key);
  }

  #drawDriver({ id, name, online }, count, position) {
    const row = this.#row("driver", id);
    row.classList.toggle("online", Boolean(online));
    fill(row, { name, count, online: online ? gettext("online") : gettext("offline") });
    place(find(".drivers", this.#root), row, position);
  }

  #drawRoute({ id, stops, driver }, position) {
    const row = this.#row("route", id);
    const { date, name } = this.routes.get(id);
    const stopsText = interpolate(ngettext("%s stop", "%s stops", stops), [stops]);
    fill(row, {
      name: `${shortDay(date)} ${name}`,
      driver: driver ? this.driverName(driver) : gettext("no driver"),
      stops: stopsText,
    });
    place(find(".routes", this.#root), row, position);
  }

  #removeRowsExcept(shown) {
    for (const [key, row] of this.#rows) {
      if (shown.has(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
  }
}
