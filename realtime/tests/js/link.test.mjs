/** Links: how the client detects a dead one, and when it opens the next. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { chance, pass } from "../../../web/tests/js/page.mjs";
import { FakeServer, look, network } from "./fake-server.mjs";

describe("link", () => {
  const HEARTBEAT = { type: "heartbeat" };
  let server;

  beforeEach(() => {
    server = new FakeServer();
  });
  afterEach(() => server.leave());

  test("heartbeats go out, and an unanswered one is a dead link", async () => {
    await server.live();
    await pass(30_000);
    assert.deepEqual(server.said, [HEARTBEAT]);
    await pass(10_000);
    assert.equal(server.socket.state, "reconnecting");
    await pass(1_000);
    assert.equal(server.query.since, "10");
  });

  test("an answered heartbeat keeps the link", async () => {
    await server.live();
    for (const number of [1, 2, 3]) {
      await pass(30_000);
      assert.equal(server.said.length, number);
      await server.tell({ type: "heartbeat", last_event_id: 10 + number });
      assert.equal(server.socket.lastEventId, 10 + number);
    }
    assert.equal(server.links.length, 1);
  });

  test("a tab whose timers are slow sends a heartbeat when a frame comes", async (context) => {
    context.mock.method(globalThis, "setInterval", () => 0);
    await server.live();
    await pass(29_000);
    await server.event(11);
    assert.deepEqual(server.said, []);
    await pass(2_000);
    await server.event(12);
    assert.deepEqual(server.said, [HEARTBEAT]);
  });

  test("a server that does not greet is a dead link", async () => {
    await server.open();
    assert.equal(await server.linksAfter(9), 1);
    assert.equal(await server.linksAfter(2), 2);
  });

  test("reconnects use exponential backoff", async () => {
    chance(0.99);
    await server.live();
    server.refuses = true;
    await server.hangUp();
    const counts = [];
    for (const seconds of [1, 1, 2, 1, 3]) counts.push(await server.linksAfter(seconds));
    assert.deepEqual(counts, [2, 3, 4, 4, 5]);
  });

  for (const code of [4408, 4429])
    test(`a client that was silent or too fast reconnects by the backoff: ${code}`, async () => {
      chance(0.9);
      await server.live();
      await server.hangUp(code);
      assert.equal(server.links.length, 1);
      await pass(500);
      assert.equal(server.query.since, "10");
    });

  test("the backoff resets after ten stable seconds", async () => {
    chance(0.99);
    server.refuses = true;
    await server.open();
    assert.equal(await server.linksAfter(2), 3);
    server.refuses = false;
    assert.equal(await server.linksAfter(4), 4);
    await server.greet();
    await pass(11_000);
    await server.hangUp();
    assert.equal(await server.linksAfter(1), 5);
  });

  for (const [name, wake] of Object.entries({ online: () => network(true), seen: () => look("visible") }))
    test(`the page reconnects at once: ${name}`, async () => {
      await server.live();
      await server.hangUp();
      await wake();
      assert.equal(server.links.length, 2);
    });

  test("a live link is checked when the page is shown", async () => {
    await server.live();
    await look("visible");
    assert.deepEqual(server.said, [HEARTBEAT]);
    assert.equal(await server.linksAfter(11), 2);
  });

  test("the state is offline at once without a network", async () => {
    await server.live();
    await network(false);
    assert.equal(server.socket.state, "offline");
    await network(true);
    await server.greet({ recovered: true });
    assert.equal(server.socket.state, "live");
  });

  for (const [code, said] of [
    [4401, "unauthenticated"],
    [4403, "forbidden"],
  ])
    test(`a refusal is final: ${said}`, async () => {
      await server.live();
      await server.hangUp(code);
      assert.deepEqual([server.socket.state, server.of(said).length], ["closed", 1]);
      assert.equal(await server.linksAfter(120), 1);
    });

  /** A source that returns a new token each time. */
  function tokens() {
    let given = 0;
    return () => `t${++given}`;
  }

  test("a fresh token is tried once", async () => {
    await server.live({ token: tokens() });
    assert.equal(server.query.token, "t1");
    await server.hangUp(4401);
    assert.equal(server.query.token, "t2");
    await server.hangUp(4401);
    assert.deepEqual([server.socket.state, server.of("unauthenticated").length], ["closed", 1]);
  });

  test("a token that was accepted may be replaced again", async () => {
    const token = tokens();
    await server.live({ token: async () => token() });
    for (const number of [2, 3]) {
      await pass(11_000);
      await server.hangUp(4401);
      assert.equal(server.query.token, `t${number}`);
      await server.greet();
    }
  });

  test("a page over the connection limit waits until it is visible", async () => {
    await server.live();
    await server.hangUp(4409);
    assert.equal(server.socket.state, "offline");
    await network(true);
    assert.equal(await server.linksAfter(120), 1);
    await look("hidden");
    await look("visible");
    assert.equal(server.links.length, 2);
  });

  test("a page waits for a restart as long as the server says", async () => {
    await server.live();
    await server.tell({ type: "restart", retry_in: 4 });
    await server.hangUp(4012);
    await look("visible");
    assert.deepEqual([await server.linksAfter(3), await server.linksAfter(2)], [1, 2]);
  });

  test("close is permanent", async () => {
    await server.live();
    server.socket.close();
    await look("visible");
    assert.equal(await server.linksAfter(120), 1);
    assert.equal(server.of("state").at(-1), "closed");
  });

  // --- a link that outlives its token -----------------------------------------------------------------------------------

  const START = "2026-11-23T08:00:00.000+08:00";
  const renewals = () => server.said.flatMap(({ type, token }) => (type === "authenticate" ? [token] : []));

  /** Lets time pass on a link whose heartbeats are answered. */
  async function minutes(count) {
    for (let half = 0; half < count * 2; half += 1) {
      await pass(30_000, 1_000);
      await server.tell({ type: "heartbeat", last_event_id: 10 });
    }
  }

  test("a fresh token is sent a minute before the old one expires", async () => {
    const END = "2026-11-23T08:15:00.000+08:00";
    await server.live({ token: tokens() }, { timestamp: START, expires_at: END });
    await minutes(13.5);
    assert.deepEqual(renewals(), []);
    await minutes(1);
    assert.deepEqual(renewals(), ["t2"]);
    await server.tell({ type: "authenticated", timestamp: END, expires_at: "2026-11-23T08:29:00.000+08:00" });
    await minutes(13.5);
    assert.deepEqual(renewals(), ["t2", "t3"]);
  });

  test("a failed token renewal is retried", async () => {
    const token = tokens();
    let isAway = false;
    const given = async () => {
      if (isAway) throw Error();
      return token();
    };
    await server.live({ token: given }, { timestamp: START, expires_at: "2026-11-23T08:00:20.000+08:00" });
    isAway = true;
    await pass(11_000);
    isAway = false;
    await pass(6_000);
    assert.deepEqual(renewals(), ["t2"]);
  });

  test("a fixed token or a session is not renewed", async () => {
    await server.live({ token: "fixed" }, { timestamp: START, expires_at: "2026-11-23T08:00:10.000+08:00" });
    await pass(20_000);
    assert.deepEqual(renewals(), []);
  });
});
