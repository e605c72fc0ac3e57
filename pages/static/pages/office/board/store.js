/** The orders the board knows, by id; what comes in is applied only if it is not older than what is there. */
import { slotRank } from "../../../web/statuses.js";
import { clock } from "../../../web/time.js";

/** The mark of what was reported long after it happened. */
export const laterText = (when) => interpolate(gettext("reported later, of %s"), [clock(when)]);

/** What orders stand by in their column: urgent ones first, then by when they are due. */
export function rank({ priority, date, slot, id }) {
  return [priority === "urgent" ? 0 : 1, date, slotRank(slot), String(id).padStart(12, "0")].join("|");
}

/** An order as the REST API lists it. */
export function fromRow(row) {
  const products = row.items.map(({ name, quantity }) => ({ name, quantity }));
  return {
    id: row.id,
    number: row.order_number,
    version: row.version,
    status: row.status,
    priority: row.priority,
    attempt: row.attempt,
    customerId: row.customer,
    customer: row.customer_name,
    products,
    date: row.scheduled_date,
    slot: row.time_slot,
    eta: row.eta,
    address: row.delivery_address,
    area: row.area,
    driver: row.driver,
    route: row.route,
    stop: row.stop_sequence,
    phones: [row.customer_phone, row.customer_phone2],
    late: row.reported_later && laterText(row.reported_later),
    latitude: row.latitude,
    longitude: row.longitude,
    createdAt: row.created_at,
    changedAt: row.updated_at,
  };
}

/** What the event of an order says of it: all but its telephone, its place on the map and when it was placed. */
export function fromEvent({ data, timestamp }) {
  return {
    id: data.order_id,
    number: data.order_number,
    version: data.version,
    status: data.status,
    priority: data.priority,
    attempt: data.attempt,
    customerId: data.customer_id,
    customer: data.customer_name,
    products: data.products,
    date: data.scheduled_date,
    slot: data.time_slot,
    eta: data.eta,
    address: data.address,
    area: data.area,
    driver: data.driver_id,
    route: data.route_id,
    stop: data.stop_sequence,
    changedAt: timestamp,
  };
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
    this.#orders.set(facts.id, { ...before, ...(moved ? { late: null } : {}), ...facts, heard: ++this.puts });
    this.#changed(facts.id);
    return true;
  }

  /** True where an event left out what it does not carry, and the order must be read. */
  lacks(id) {
    const { createdAt, addressRead, address } = this.#orders.get(id);
    return createdAt === undefined || addressRead !== address;
  }

  /** An order as it was read: nothing of it is missing. */
  read(row) {
    return this.put({ ...fromRow(row), addressRead: row.delivery_address });
  }

  /** In the order in which they stand, so that drawing many moves none that is drawn. */
  readAll(rows) {
    const ranks = new Map(rows.map((row) => [row, rank(fromRow(row))]));
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
      if (order.customerId !== customerId) continue;
      order.customer = name;
      this.#changed(order.id);
    }
  }
}
