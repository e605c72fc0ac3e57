/** The orders of the board, by id. An older version never replaces a newer one. */
import { slotRank } from "../../../web/statuses.js";
import { clock } from "../../../web/time.js";

/** The note on an order whose last move the driver reported late. */
export const laterText = (when) => interpolate(gettext("reported later, at %s"), [clock(when)]);

/** The sort key of orders in a column: urgent ones first, then by day, time slot and id. */
export function rank({ priority, scheduled_date: date, time_slot: slot, id }) {
  return [priority === "urgent" ? 0 : 1, date, slotRank(slot), String(id).padStart(12, "0")].join("|");
}

/** The order of an event, with the field names of a row. Events lack phone numbers, coordinates and the creation time. */
export function rowOf({ data, timestamp }) {
  const { order_id: id, customer_id: customer, products: items, driver_id: driver, route_id: route } = data;
  return { ...data, id, customer, items, driver, route, delivery_address: data.address, updated_at: timestamp };
}

export class Store {
  /** The number of calls of `put` that stored an order. */
  puts = 0;
  #orders = new Map();
  #changed;

  /** `changed(id)` is called when an order was added, changed or removed. */
  constructor(changed) {
    this.#changed = changed;
  }

  get = (id) => this.#orders.get(id);

  [Symbol.iterator]() {
    return this.#orders.values();
  }

  /** Merges `facts` into the order. Returns false and changes nothing if the stored version is newer. */
  put(facts) {
    const before = this.#orders.get(facts.id);
    if (before && facts.version < before.version) return false;
    const moved = before && before.status !== facts.status;
    this.#orders.set(facts.id, {
      ...before,
      ...(moved ? { reported_later: null } : {}),
      ...facts,
      putNumber: ++this.puts,
    });
    this.#changed(facts.id);
    return true;
  }

  /** Whether the order must be read: only events brought it, or its address changed since it was read. */
  isIncomplete(id) {
    const { created_at: createdAt, addressRead, delivery_address: address } = this.#orders.get(id);
    return createdAt === undefined || addressRead !== address;
  }

  /** Stores a whole row from the API. */
  read(row) {
    return this.put({ ...row, addressRead: row.delivery_address });
  }

  /** Stores rows in the columns' sort order, so that drawing a card does not move others. */
  readAll(rows) {
    const ranks = new Map(rows.map((row) => [row, rank(row)]));
    for (const row of rows.sort((a, b) => (ranks.get(a) < ranks.get(b) ? -1 : 1))) this.read(row);
  }

  /** Removes orders that are not among `ids`, except those changed after `puts` was `before`. Call it after loading all orders. */
  removeExcept(ids, before) {
    for (const { id, putNumber } of [...this]) {
      if (ids.has(id) || putNumber > before) continue;
      this.#orders.delete(id);
      this.#changed(id);
    }
  }

  rename(customerId, name) {
    for (const order of this.#orders.values()) {
      if (order.customer !== customerId) continue;
      order.customer_name = name;
      this.#changed(order.id);
    }
  }
}
