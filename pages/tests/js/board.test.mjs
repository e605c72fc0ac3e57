/** The board's store of orders, and the targets an order may be moved to. */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { Moves } from "/static/pages/office/board/moves.js";
import { rank, rowOf, Store } from "/static/pages/office/board/store.js";
import { pageData } from "../../../web/tests/js/page.mjs";

describe("board", () => {
  const TODAY = "2026-11-23";
  let store, drawn;

  beforeEach(() => {
    drawn = [];
    store = new Store((id) => drawn.push(id));
  });

  const row = (facts) => ({ items: [], delivery_address: "A", created_at: "2026-11-23T08:00:00+08:00", ...facts });
  const event = (data) =>
    rowOf({ data: { products: [], address: "A", ...data }, timestamp: "2026-11-23T09:00:00+08:00" });

  test("an event with an older version changes nothing", () => {
    store.read(row({ id: 1, version: 3, status: "assigned" }));
    assert.equal(store.put(event({ order_id: 1, version: 2, status: "confirmed" })), false);
    assert.deepEqual([store.get(1).status, drawn], ["assigned", [1]]);
    assert.equal(store.put(event({ order_id: 1, version: 4, status: "delivering" })), true);
    assert.deepEqual([store.get(1).status, drawn], ["delivering", [1, 1]]);
  });

  test("an order is incomplete if only events brought it, or if its address changed", () => {
    store.put(event({ order_id: 1, version: 1 }));
    assert.equal(store.isIncomplete(1), true);
    store.read(row({ id: 1, version: 1 }));
    assert.equal(store.isIncomplete(1), false);
    store.put(event({ order_id: 1, version: 2, address: "B" }));
    assert.equal(store.isIncomplete(1), true);
  });

  test("a full load removes missing orders, except those that events brought after it began", () => {
    for (const id of [1, 2]) store.read(row({ id, version: 1 }));
    const before = store.puts;
    store.put(event({ order_id: 3, version: 1 }));
    store.removeExcept(new Set([1]), before);
    assert.deepEqual(
      [...store].map(({ id }) => id),
      [1, 3],
    );
  });

  test("urgent orders come first; the rest is sorted by day and time slot", () => {
    const orders = [
      { id: 4, priority: "normal", scheduled_date: "2026-11-24", time_slot: "morning" },
      { id: 3, priority: "normal", scheduled_date: TODAY, time_slot: "anytime" },
      { id: 2, priority: "normal", scheduled_date: TODAY, time_slot: "evening" },
      { id: 1, priority: "urgent", scheduled_date: "2026-11-25", time_slot: "anytime" },
    ];
    const sorted = orders.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
    assert.deepEqual(
      sorted.map(({ id }) => id),
      [1, 2, 3, 4],
    );
  });

  const TABLE = {
    ...pageData.moves,
    pending: [{ to: "confirmed", needs_reason: false }],
    confirmed: [{ to: "assigned", needs_reason: false }],
    failed: [{ to: "confirmed", needs_reason: false }],
  };
  const ROUTES = [
    { id: 5, date: TODAY, driver: 3 },
    { id: 6, date: "2026-11-24", driver: 4 },
  ];

  /** The targets of this order, with their changes. */
  function targets(order) {
    const drivers = new Map([3, 4].map((id) => [id, { id }]));
    const moves = new Moves(TABLE, drivers, new Map(ROUTES.map((route) => [route.id, route])));
    return Object.fromEntries(
      moves.targets({ scheduled_date: TODAY, driver: null, route: null, ...order }).map((to) => [to.key, to]),
    );
  }

  test("moving a new order to a driver also confirms the order", () => {
    const found = targets({ status: "pending" });
    assert.deepEqual(found["driver:3"].changes, { status: "confirmed", driver: 3 });
    assert.deepEqual(found["route:5"].changes, { status: "confirmed", route: 5, driver: 3 });
    assert.equal("route:6" in found, false);
  });

  test("the current driver is no target, but the driver's route is", () => {
    const found = targets({ status: "delivering", driver: 3 });
    assert.equal("driver:3" in found, false);
    assert.equal("route:5" in found, true);
  });

  test("moving to “assigned” needs a driver unless the route has one", () => {
    assert.equal(targets({ status: "confirmed" })["status:assigned"].needsDriver, true);
    assert.equal(targets({ status: "confirmed", route: 5 })["status:assigned"].needsDriver, false);
  });

  test("a new attempt of a past day is scheduled for today, without a route", () => {
    const found = targets({ status: "failed", scheduled_date: "2026-11-20" });
    assert.deepEqual(found["status:confirmed"].changes, { status: "confirmed", scheduled_date: TODAY });
    assert.equal("route:5" in found, false);
  });

  test("a closed order has no targets", () => {
    assert.deepEqual(targets({ status: "delivered" }), {});
  });
});
