/** A page resumes from its cursor and gets each event once. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { pass } from "../../../web/tests/js/page.mjs";
import { FakeServer } from "./fake-server.mjs";

describe("cursor", () => {
  let server;

  beforeEach(() => {
    server = new FakeServer();
  });
  afterEach(() => server.closePage());

  /** Loses the connection and returns the query of the next one. */
  async function resume() {
    await server.closeConnection();
    await pass(1_000);
    return server.query;
  }

  test("a repeated event is dropped", async () => {
    await server.openLive();
    await server.event(11, 11, 10, 12, 11, 13);
    assert.deepEqual(server.ids, [11, 12, 13]);
  });

  test("a page without a cursor starts at the head of the log", async () => {
    await server.open();
    assert.deepEqual(server.query, {});
  });

  test("a page resumes from the last event after a lost connection", async () => {
    await server.openLive();
    await server.event(11);
    assert.deepEqual(await resume(), { since: "11", epoch: "e1" });
  });

  test("a heartbeat's answer moves the cursor forward only", async () => {
    await server.openLive();
    for (const head of [50, 40]) await server.send({ type: "heartbeat", last_event_id: head });
    await server.event(45, 51);
    assert.deepEqual(server.ids, [51]);
  });

  test("an interrupted replay resumes where it stopped", async () => {
    await server.openLive({ since: 5 }, { head: 20, recovered: true });
    await server.event(6);
    assert.deepEqual(await resume(), { since: "6", epoch: "e1" });
  });

  test("the heartbeat after a replay moves the cursor to the head", async () => {
    await server.openLive({ since: 5 }, { head: 20, recovered: true });
    assert.deepEqual(server.messages, [{ type: "heartbeat" }]);
    await server.event(6);
    await server.send({ type: "heartbeat", last_event_id: 20 });
    assert.equal((await resume()).since, "20");
  });

  test("a cursor that cannot be resumed causes a resync and moves to the new head", async () => {
    await server.openLive({ since: 5 }, { head: 20, recovered: false, epoch: "e2" });
    await server.event(21);
    assert.deepEqual([server.ids, server.emittedValues("resync").length], [[21], 1]);
    assert.deepEqual(await resume(), { since: "21", epoch: "e2" });
  });

  for (const since of [NaN, "x", "", -1, undefined])
    test(`a since that is not a number is ignored: ${since}`, async () => {
      await server.open({ since });
      assert.deepEqual(server.query, {});
    });

  test("the next visit resumes from the user's stored cursor", async () => {
    await server.openLive({}, { user: 7 });
    await server.event(11);
    await server.open();
    assert.deepEqual(server.query, { since: "11", epoch: "e1" });
  });

  test("a page with its own since starts there", async () => {
    await server.openLive({}, { user: 7 });
    await server.open({ since: 3 });
    assert.deepEqual(server.query, { since: "3" });
    await server.open({ since: 3, epoch: "e2" });
    assert.deepEqual(server.query, { since: "3", epoch: "e2" });
  });

  test("events of another user are not replayed", async () => {
    await server.openLive({}, { user: 7 });
    await server.open();
    await server.accept({ head: 20, recovered: true, user: 8 });
    assert.deepEqual([server.connections.length, server.query, server.emittedValues("*")], [3, {}, []]);
  });

  test("a page that knows its user resumes at once", async () => {
    await server.openLive({ user: 7 }, { user: 7 });
    await server.openLive({ user: 8 }, { head: 30, user: 8 });
    await server.open({ user: 7 });
    assert.equal(server.query.since, "10");
  });

  test("a tab that is behind another does not move the stored cursor back", async () => {
    await server.openLive({}, { user: 7 });
    localStorage.setItem("luckygas:cursor:7", JSON.stringify({ id: 99, epoch: "e1" }));
    await server.event(11);
    assert.equal(JSON.parse(localStorage.getItem("luckygas:cursor:7")).id, 99);
  });

  test("a page without storage works", async (context) => {
    const forbidden = () => {
      throw new DOMException("no", "SecurityError");
    };
    for (const name of ["getItem", "setItem"]) context.mock.method(localStorage, name, forbidden);
    await server.openLive();
    await server.event(11);
    assert.deepEqual(server.ids, [11]);
  });
});
