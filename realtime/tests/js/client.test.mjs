/** Events that a page gets from its socket, and its subscriptions. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { pass } from "../../../web/tests/js/page.mjs";
import { FakeServer } from "./fake-server.mjs";

describe("client", () => {
  let server;

  beforeEach(() => {
    server = new FakeServer();
  });
  afterEach(() => server.closePage());

  test("a handler gets events of its type until it is removed", async () => {
    const ids = [];
    const handler = ({ id }) => ids.push(id) === 2 && server.socket.off("order.updated", handler);
    await server.openLive();
    server.socket.on("order.updated", handler).on("order.created", () => ids.push("wrong"));
    await server.event(11, 12, 13);
    assert.deepEqual(ids, [11, 12]);
  });

  test("a handler that fails is reported, and the others run", async (context) => {
    const found = [];
    context.mock.method(globalThis, "reportError", ({ message }) => found.push(message));
    await server.openLive();
    server.socket.on("order.updated", () => {
      throw new Error("mine");
    });
    server.socket.on("order.updated", ({ id }) => found.push(id));
    await server.event(11);
    assert.deepEqual(found, ["mine", 11]);
  });

  test("channels are subscribed again on the next connection", async () => {
    await server.openLive();
    server.socket.subscribe("order:1").subscribe("order:2").unsubscribe("order:1");
    const messages = server.messages.map(({ type, channel }) => `${type} ${channel}`);
    assert.deepEqual(messages, ["subscribe order:1", "subscribe order:2", "unsubscribe order:1"]);
    await server.closeConnection();
    await pass(500);
    assert.equal(server.query.channels, "order:2");
    server.socket.subscribe("order:3");
    await server.accept({ recovered: true, channels: ["user:1", "order:2"] });
    const later = server.messages.slice(3).filter(({ type }) => type === "subscribe");
    assert.deepEqual(
      later.map(({ channel }) => channel),
      ["order:3"],
    );
  });

  test("a channel subscribed before the first frame is subscribed once", async () => {
    await server.open();
    server.socket.subscribe("order:1");
    await server.accept();
    assert.deepEqual(server.messages, [{ type: "subscribe", channel: "order:1", ref: "order:1" }]);
  });

  test("a refused channel is not subscribed again", async () => {
    await server.openLive();
    server.socket.subscribe("order:1").subscribe("order:2");
    await server.send({ type: "error", code: "forbidden", detail: "no", ref: "order:1" });
    await server.send({ type: "error", code: "rate_limited", detail: "slowly", ref: "order:2" });
    await server.closeConnection();
    await pass(500);
    assert.equal(server.query.channels, "order:2");
  });

  test("a page with the batch option gets positions in batches", async () => {
    const batches = [];
    await server.openLive({ batch: { type: "driver.location", ms: 250 } });
    server.socket.on("driver.location", (frames) => batches.push(frames.map(({ data }) => data.driver_id)));
    for (const driver_id of [1, 2, 3])
      await server.send({ type: "driver.location", channel: "drivers", data: { driver_id } });
    assert.deepEqual(batches, []);
    await pass(250);
    assert.deepEqual(batches, [[1, 2, 3]]);
  });

  test("a page knows when the server last sent something", async () => {
    await server.open();
    assert.equal(server.socket.receivedAt, null);
    await server.accept();
    assert.equal(server.socket.receivedAt, Date.now());
  });

  test("a page of a tracking link neither stores nor uses a user's cursor", async () => {
    await server.openLive({}, { user: 7 });
    await server.open({}, "/api/v1/websocket/ws/track/abc");
    assert.deepEqual(server.query, {});
    await server.accept({ head: 20, channels: ["track:1"] });
    assert.equal(JSON.parse(localStorage.getItem("luckygas:cursor:7")).id, 10);
  });

  test("the first frame and heartbeats set the page's clock", async () => {
    const { now } = await import("/static/web/server-clock.js");
    const hour = 3_600_000;
    const stamp = (hours) => ({ timestamp: new Date(Date.now() + hours * hour).toISOString() });
    await server.openLive({}, stamp(1));
    assert.equal(now(), Date.now() + hour);
    await server.send({ type: "heartbeat", last_event_id: 10, ...stamp(2) });
    assert.equal(now(), Date.now() + 2 * hour);
    await server.send({ type: "heartbeat", last_event_id: 10, ...stamp(0) });
    assert.equal(now(), Date.now());
  });
});
