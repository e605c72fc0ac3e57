/** The targets that an order may be moved to, by the office's table of moves. */
import { today } from "../../../web/server-clock.js";
import { isOpen, isWithDriver } from "../../../web/statuses.js";

export class Moves {
  #table;

  /** `table`: the office's moves by status. `drivers` and `routes`: those of the fleet, by id. */
  constructor(table, drivers, routes) {
    this.#table = table;
    this.drivers = drivers;
    this.routes = routes;
  }

  /** Whether the office may make no move from this status. */
  isFinal = (status) => !this.#table[status].length;

  #move(from, to) {
    return this.#table[from].find((move) => move.to === to);
  }

  /**
   * `[{key: "status:confirmed" | "driver:3" | "route:5", changes, needsReason, needsDriver}, …]`; `changes` are the
   * fields of one request. `needsDriver`: the clerk must first choose a driver.
   */
  targets(order) {
    return [...this.#statuses(order), ...this.#drivers(order), ...this.#routes(order)];
  }

  #statuses(order) {
    return this.#table[order.status].map(({ to, needs_reason: needsReason }) => {
      const needsDriver = to === "assigned" && !order.driver && !this.routes.get(order.route)?.driver;
      return {
        key: `status:${to}`,
        changes: { status: to, ...this.#dateOfAttempt(order, to) },
        needsReason,
        needsDriver,
      };
    });
  }

  #drivers(order) {
    return [...this.drivers.keys()].flatMap((id) => {
      const changes = this.#assignment(order, id);
      return changes ? [{ key: `driver:${id}`, changes }] : [];
    });
  }

  #assignment(order, driver) {
    if (order.driver === driver && isWithDriver(order.status)) return null;
    if (order.status === "assigned" || this.#move(order.status, "assigned")) return { driver };
    if (!this.#move(order.status, "confirmed")) return null;
    return { status: "confirmed", driver, ...this.#dateOfAttempt(order, "confirmed") };
  }

  /** For a new attempt of an order whose day has passed, changes the day to today. Else an empty object. */
  #dateOfAttempt(order, to) {
    const isPast = order.status === "failed" && to === "confirmed" && order.scheduled_date < today();
    return isPast ? { scheduled_date: today() } : {};
  }

  #routes(order) {
    // A new attempt begins without a route, and closed orders keep theirs.
    if (!isOpen(order.status) || order.status === "failed") return [];
    const isPast = order.scheduled_date < today();
    const day = isPast ? today() : order.scheduled_date;
    return [...this.routes.values()].flatMap((route) => {
      const changes = route.date === day && route.id !== order.route ? this.#routeChanges(order, route) : null;
      return changes ? [{ key: `route:${route.id}`, changes }] : [];
    });
  }

  #routeChanges(order, { id, driver }) {
    const isFree = order.status === "assigned" || order.status === "confirmed";
    if (!driver || driver === order.driver || isFree) return { route: id };
    return order.status === "pending" ? { status: "confirmed", route: id, driver } : null;
  }

  /** The changes that schedule a new attempt of a failed order, `days` from today. */
  newAttempt(days) {
    return { status: "confirmed", scheduled_date: today(days) };
  }
}
