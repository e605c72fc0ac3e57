/** The orders the board knows, by id; what comes in is applied only if it is not older than what is there. */
import { slotRank } from "../../../web/statuses.js";
import { clock } from "../../../web/time.js";

/** The mark of what was reported long after it happened. */
export const laterText = (when) => interpolate(gettext("reported later, of %s"), [clock(when)]);

/** What orders stand by in their column: urgent ones first, then by when they are due. */
export function rank({ priority, scheduled_date: date, time_slot: slot, id }) {
  return [priority === "urgent" ? 0 : 1, date, slotRank(slot), String(id).padStart(12, "0")].join("|");
}

/** What an event says of its order, by the names that a row has. Telephone, place on the map and age are in rows alone. */
export function rowOf({ data, timestamp }) {
  const { order_id: id, customer_id: customer, products: items, driver_id: driver, route_id: route } = data;
  return { ...data, id, customer, items, driver, route, delivery_address: data.address, updated_at: timestamp };
}

export class Store {
  /** How often an order was put. */
  puts = 0;
  #orders = new Map();
  #changed;

  /** `changed(id)`: an order is new, another or gone. */
  constructor(changed) {
    this.#changed = changed;
  }

  get = (id) => this.#orders.get(id);

  [Symbol.iterator]() {
    return this.#orders.values();
  }

  /** Merges `facts` into the order. False where what is there is newer. */
  put(facts) {
    const before = this.#orders.get(facts.id);
    if (before && facts.version < before.version) return false;
    const moved = before && before.status !== facts.status;
    this.#orders.set(facts.id, { ...before, ...(moved ? { reported_later: null } : {}), ...facts, heard: ++this.puts });
    this.#changed(facts.id);
    return true;
  }

  /** True where an event left out what it does not carry, and the order must be read. */
  lacks(id) {
    const { created_at: createdAt, addressRead, delivery_address: address } = this.#orders.get(id);
    return createdAt === undefined || addressRead !== address;
  }

  /** An order as it was read: nothing of it is missing. */
  read(row) {
    return this.put({ ...row, addressRead: row.delivery_address });
  }

  /** In the order in which they stand, so that drawing many moves none that is drawn. */
  readAll(rows) {
    const ranks = new Map(rows.map((row) => [row, rank(row)]));
    for (const row of rows.sort((a, b) => (ranks.get(a) < ranks.get(b) ? -1 : 1))) this.read(row);
  }

  /** After a state read afresh: what is not in it is gone, but for what was put since there were `before` puts. */
  keep(ids, before) {
    for (const { id, heard } of [...this]) {
      if (ids.has(id) || heard > before) continue;
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
