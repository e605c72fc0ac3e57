/** Connections: how the client detects a dead one, and when it opens the next. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { chance, pass } from "../../../web/tests/js/page.mjs";
import { FakeServer, setOnline, setVisibility } from "./fake-server.mjs";

describe("connection", () => {
  const HEARTBEAT = { type: "heartbeat" };
  let server;

  beforeEach(() => {
    server = new FakeServer();
  });
  afterEach(() => server.closePage());

  test("an unanswered heartbeat closes the connection", async () => {
    await server.openLive();
    await pass(30_000);
    assert.deepEqual(server.messages, [HEARTBEAT]);
    await pass(10_000);
    assert.equal(server.socket.state, "reconnecting");
    await pass(1_000);
    assert.equal(server.query.since, "10");
  });

  test("answered heartbeats keep the connection open", async () => {
    await server.openLive();
    for (const number of [1, 2, 3]) {
      await pass(30_000);
      assert.equal(server.messages.length, number);
      await server.send({ type: "heartbeat", last_event_id: 10 + number });
      assert.equal(server.socket.lastEventId, 10 + number);
    }
    assert.equal(server.connections.length, 1);
  });

  test("a tab whose timers are slow sends a heartbeat when a frame comes", async (context) => {
    context.mock.method(globalThis, "setInterval", () => 0);
    await server.openLive();
    await pass(29_000);
    await server.event(11);
    assert.deepEqual(server.messages, []);
    await pass(2_000);
    await server.event(12);
    assert.deepEqual(server.messages, [HEARTBEAT]);
  });

  test("a connection without a first frame is replaced", async () => {
    await server.open();
    assert.equal(await server.connectionsAfter(9), 1);
    assert.equal(await server.connectionsAfter(2), 2);
  });

  test("reconnects use exponential backoff", async () => {
    chance(0.99);
    await server.openLive();
    server.refuses = true;
    await server.closeConnection();
    const counts = [];
    for (const seconds of [1, 1, 2, 1, 3]) counts.push(await server.connectionsAfter(seconds));
    assert.deepEqual(counts, [2, 3, 4, 4, 5]);
  });

  for (const code of [4408, 4429])
    test(`a client that was silent or too fast reconnects with backoff: ${code}`, async () => {
      chance(0.9);
      await server.openLive();
      await server.closeConnection(code);
      assert.equal(server.connections.length, 1);
      await pass(500);
      assert.equal(server.query.since, "10");
    });

  test("the backoff resets after ten stable seconds", async () => {
    chance(0.99);
    server.refuses = true;
    await server.open();
    assert.equal(await server.connectionsAfter(2), 3);
    server.refuses = false;
    assert.equal(await server.connectionsAfter(4), 4);
    await server.accept();
    await pass(11_000);
    await server.closeConnection();
    assert.equal(await server.connectionsAfter(1), 5);
  });

  for (const [name, wake] of Object.entries({ online: () => setOnline(true), shown: () => setVisibility("visible") }))
    test(`the page reconnects at once when it is ${name}`, async () => {
      await server.openLive();
      await server.closeConnection();
      await wake();
      assert.equal(server.connections.length, 2);
    });

  test("an open connection is checked when the page is shown", async () => {
    await server.openLive();
    await setVisibility("visible");
    assert.deepEqual(server.messages, [HEARTBEAT]);
    assert.equal(await server.connectionsAfter(11), 2);
  });

  test("the state is offline at once without a network", async () => {
    await server.openLive();
    await setOnline(false);
    assert.equal(server.socket.state, "offline");
    await setOnline(true);
    await server.accept({ recovered: true });
    assert.equal(server.socket.state, "live");
  });

  for (const [code, name] of [
    [4401, "unauthenticated"],
    [4403, "forbidden"],
  ])
    test(`a refusal is final: ${name}`, async () => {
      await server.openLive();
      await server.closeConnection(code);
      assert.deepEqual([server.socket.state, server.emittedValues(name).length], ["closed", 1]);
      assert.equal(await server.connectionsAfter(120), 1);
    });

  /** Returns a source of tokens: t1, then t2, and so on. */
  function tokens() {
    let count = 0;
    return () => `t${++count}`;
  }

  test("a refused token is replaced once", async () => {
    await server.openLive({ token: tokens() });
    assert.equal(server.query.token, "t1");
    await server.closeConnection(4401);
    assert.equal(server.query.token, "t2");
    await server.closeConnection(4401);
    assert.deepEqual([server.socket.state, server.emittedValues("unauthenticated").length], ["closed", 1]);
  });

  test("a token that was accepted may be replaced again", async () => {
    const token = tokens();
    await server.openLive({ token: async () => token() });
    for (const number of [2, 3]) {
      await pass(11_000);
      await server.closeConnection(4401);
      assert.equal(server.query.token, `t${number}`);
      await server.accept();
    }
  });

  test("a page over the connection limit waits until it is visible", async () => {
    await server.openLive();
    await server.closeConnection(4409);
    assert.equal(server.socket.state, "offline");
    await setOnline(true);
    assert.equal(await server.connectionsAfter(120), 1);
    await setVisibility("hidden");
    await setVisibility("visible");
    assert.equal(server.connections.length, 2);
  });

  test("a page reconnects after the wait that a restart frame announces", async () => {
    await server.openLive();
    await server.send({ type: "restart", retry_in: 4 });
    await server.closeConnection(4012);
    await setVisibility("visible");
    assert.deepEqual([await server.connectionsAfter(3), await server.connectionsAfter(2)], [1, 2]);
  });

  test("close is permanent", async () => {
    await server.openLive();
    server.socket.close();
    await setVisibility("visible");
    assert.equal(await server.connectionsAfter(120), 1);
    assert.equal(server.emittedValues("state").at(-1), "closed");
  });

  // --- a connection that outlives its token ------------------------------------------------------------------------------

  const START = "2026-11-23T08:00:00.000+08:00";
  const renewals = () => server.messages.flatMap(({ type, token }) => (type === "authenticate" ? [token] : []));

  /** Lets minutes pass on a connection whose heartbeats are answered. */
  async function minutes(count) {
    for (let half = 0; half < count * 2; half += 1) {
      await pass(30_000, 1_000);
      await server.send({ type: "heartbeat", last_event_id: 10 });
    }
  }

  test("a new token is sent a minute before the old one expires", async () => {
    const END = "2026-11-23T08:15:00.000+08:00";
    await server.openLive({ token: tokens() }, { timestamp: START, expires_at: END });
    await minutes(13.5);
    assert.deepEqual(renewals(), []);
    await minutes(1);
    assert.deepEqual(renewals(), ["t2"]);
    await server.send({ type: "authenticated", timestamp: END, expires_at: "2026-11-23T08:29:00.000+08:00" });
    await minutes(13.5);
    assert.deepEqual(renewals(), ["t2", "t3"]);
  });

  test("a failed token renewal is retried", async () => {
    const token = tokens();
    let isAway = false;
    const source = async () => {
      if (isAway) throw Error();
      return token();
    };
    await server.openLive({ token: source }, { timestamp: START, expires_at: "2026-11-23T08:00:20.000+08:00" });
    isAway = true;
    await pass(11_000);
    isAway = false;
    await pass(6_000);
    assert.deepEqual(renewals(), ["t2"]);
  });

  test("a fixed token is not renewed", async () => {
    await server.openLive({ token: "fixed" }, { timestamp: START, expires_at: "2026-11-23T08:00:10.000+08:00" });
    await pass(20_000);
    assert.deepEqual(renewals(), []);
  });
});
