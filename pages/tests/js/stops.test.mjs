/** The driver's stops when requests fail, or when the responses come too late. */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { Stops } from "/static/pages/driver/stops.js";
import { setServerTime } from "/static/web/server-clock.js";
import { pass, settled } from "../../../web/tests/js/page.mjs";

const DRIVER = 3;
const ROW = {
  id: 5,
  version: 1,
  driver: DRIVER,
  status: "assigned",
  scheduled_date: "2026-11-23",
  time_slot: "morning",
};
const UNAVAILABLE = () => new Response("", { status: 503, headers: { "Retry-After": "1" } });
const NO_CONNECTION = () => Promise.reject(new TypeError("no connection"));
const GONE = () => Response.json({ errors: [{ code: "not_found", detail: "" }] }, { status: 404 });

describe("stops", () => {
  let stops, listed, responses, reads, news;

  beforeEach(() => {
    setServerTime(Date.now(), 0);
    [listed, responses, reads, news] = [[], [], 0, []];
    globalThis.fetch = async ({ pathname, search }) => {
      if (pathname === "/api/v1/orders/") {
        const rows = search.includes("status=assigned") ? listed : [];
        return responses.shift()?.() ?? Response.json({ results: rows, next: null });
      }
      reads += 1;
      return responses.shift()?.() ?? Response.json(ROW);
    };
    stops = new Stops({ on() {}, write: async () => {} }, DRIVER);
    stops.on("news", ({ type, row }) => news.push(`${type} ${row.id}`));
  });

  const assign = () => stops.receive({ type: "order.assigned", data: { order_id: 5, version: 1, status: "assigned" } });
  const ids = () => stops.list.map(({ id }) => id);

  for (const [name, response] of Object.entries({ UNAVAILABLE, NO_CONNECTION }))
    test(`a new stop appears although its first requests fail: ${name}`, async () => {
      await stops.load();
      responses = [response, response];
      assign();
      await pass(5_000);
      assert.deepEqual([ids(), news, reads], [[5], ["assigned 5"], 3]);
    });

  test("stops appear although the first loads fail", async () => {
    listed = [ROW];
    responses = [UNAVAILABLE, UNAVAILABLE, UNAVAILABLE];
    await stops.load();
    assert.deepEqual([ids(), stops.loadedAt], [[], null]);
    await pass(10_000);
    assert.deepEqual([ids(), news], [[5], []]);
  });

  test("a stop that is unassigned while it is read is not shown", async () => {
    await stops.load();
    const { promise, resolve } = Promise.withResolvers();
    responses = [() => promise, GONE];
    assign();
    await settled();
    stops.receive({ type: "order.unassigned", data: { order_id: 5, version: 2 } });
    resolve(Response.json(ROW));
    await settled();
    assert.deepEqual([reads, ids(), news], [2, [], []]);
  });

  test("events received while the stops are loaded are applied afterwards", async () => {
    listed = [ROW];
    const loading = stops.load();
    stops.receive({ type: "order.status_changed", data: { order_id: 5, version: 2, status: "delivering" } });
    await loading;
    assert.deepEqual(
      stops.list.map(({ status }) => status),
      ["delivering"],
    );
  });

  test("rows of another driver are not stored", async () => {
    let isOther = false;
    listed = [{ ...ROW, driver: 4 }];
    stops.on("other-user", () => {
      isOther = true;
    });
    await stops.load();
    assert.deepEqual([isOther, ids()], [true, []]);
  });
});
