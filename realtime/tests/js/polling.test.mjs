/** A page whose sockets are blocked or switched off polls the event log over HTTP. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { chance, pass, settled } from "../../../web/tests/js/page.mjs";
import { FakeServer } from "./fake-server.mjs";

describe("polling", () => {
  const EVENTS = "/api/v1/events/";
  const ORDERS = "/api/v1/orders/";
  let server;

  beforeEach(() => {
    server = new FakeServer();
  });
  afterEach(() => server.leave());

  /** A response with these events, up to `last`. */
  const log = (ids, last, more = false) => {
    const events = ids.map((id) => ({ type: "order.updated", id, channel: "orders", data: {} }));
    return () => Response.json({ events, last_event_id: last, epoch: "e1", more });
  };
  const refusal = (status, headers) => () => Response.json({}, { status, headers });
  /** The sign-in page of a hotel's network, with status 200. */
  const hotel = () => new Response("<html>");
  const asked = () => server.asked.filter(({ path }) => path === EVENTS);

  /** A page whose sockets are refused while HTTP works; it polls by now, and last did so less than a second ago. */
  async function block(options = {}) {
    server.refuses = true;
    server.answers = {
      "/health/live": () => new Response("{}"),
      [ORDERS]: () => Response.json({}, { headers: { "Last-Event-Id": "10", "Last-Event-Epoch": "e1" } }),
      [EVENTS]: log([], 10),
      ...server.answers,
    };
    chance(0.05);
    await server.open(options);
    await pass(1_000);
  }

  test("three failed links while HTTP works start polling", async () => {
    await block();
    assert.deepEqual([server.socket.state, server.links.length], ["polling", 3]);
    assert.deepEqual([asked()[0].since, asked()[0].epoch], ["10", "e1"]);
    server.answers[EVENTS] = log([11, 12], 12);
    await pass(3_000);
    assert.deepEqual(server.ids, [11, 12]);
    await pass(3_000);
    assert.deepEqual([asked().at(-1).since, server.ids], ["12", [11, 12]]);
  });

  test("a server that is down does not start polling", async () => {
    server.refuses = true;
    chance(0.01);
    await server.open();
    assert.ok((await server.linksAfter(2)) >= 5);
    assert.deepEqual([server.socket.state, asked()], ["reconnecting", []]);
  });

  test("polling can be turned off by an option", async () => {
    await block({ poll: false });
    assert.ok((await server.linksAfter(2)) >= 5);
    assert.deepEqual(asked(), []);
  });

  test("more events are requested at once", async () => {
    server.answers[EVENTS] = ({ since }) => (since === "10" ? log([11], 11, true)() : log([], 11)());
    await block();
    assert.deepEqual(
      asked().map(({ since }) => since),
      ["10", "11"],
    );
  });

  test("a hidden tab polls less often", async () => {
    document.hidden = true;
    await block();
    assert.equal(asked().length, 1);
    await pass(13_000);
    assert.equal(asked().length, 1);
    await pass(2_000);
    assert.equal(asked().length, 2);
  });

  test("an expired cursor causes one resync for all channels, and polling continues from the head of the log", async () => {
    await block({ since: 3 });
    server.socket.subscribe("order:1").subscribe("order:2");
    server.answers[EVENTS] = refusal(410);
    await pass(3_000);
    assert.equal(server.of("resync").length, 1);
    server.answers[EVENTS] = log([11], 11);
    await pass(3_000);
    assert.deepEqual([server.ids, asked().at(-1).since, asked().at(-1).epoch], [[11], "10", "e1"]);
  });

  test("the socket is retried each minute and replaces polling", async () => {
    await block();
    chance(0.5);
    assert.equal(await server.linksAfter(33), 4);
    server.refuses = false;
    assert.equal(await server.linksAfter(59), 4);
    assert.equal(await server.linksAfter(1), 5);
    assert.equal(server.query.since, "10");
    await server.greet({ recovered: true });
    assert.equal(server.socket.state, "live");
    const before = asked().length;
    await pass(20_000);
    assert.equal(asked().length, before);
  });

  for (const status of [401, 403])
    test(`a page that may not read is unauthenticated: ${status}`, async () => {
      server.answers[EVENTS] = refusal(status);
      await block();
      assert.deepEqual([server.socket.state, server.of("unauthenticated").length], ["closed", 1]);
    });

  test("a token that the server accepted after a refusal is renewed at the next one too", async () => {
    let tokens = 0;
    await block({ token: async () => `token ${++tokens}` });
    for (const count of [2, 3]) {
      server.answers[EVENTS] = refusal(401);
      await pass(3_000);
      server.answers[EVENTS] = log([], 10);
      await pass(3_000);
      assert.deepEqual([server.socket.state, tokens], ["polling", count]);
    }
  });

  for (const [name, answer, seconds] of [
    ["503", refusal(503, { "Retry-After": "20" }), 20],
    ["a proxy's 503 for too long", refusal(503, { "Retry-After": "900" }), 60],
    ["a hotel's page", hotel, 3],
    ["no line", () => Promise.reject(new TypeError("no line")), 3],
  ])
    test(`a server that does not answer is reconnecting, and asked again: ${name}`, async () => {
      await block();
      server.answers[EVENTS] = answer;
      await pass(3_000);
      assert.equal(server.socket.state, "reconnecting");
      server.answers[EVENTS] = log([11], 11);
      const before = asked().length;
      await pass((seconds - 1) * 1000);
      assert.equal(asked().length, before);
      await pass(1_000);
      assert.deepEqual([server.ids, server.socket.state], [[11], "polling"]);
    });

  test("a response without the head of the log does not move the cursor", async () => {
    await block();
    server.answers[ORDERS] = hotel;
    server.answers[EVENTS] = refusal(410);
    await pass(3_000);
    assert.deepEqual([server.socket.state, server.socket.lastEventId], ["reconnecting", 10]);
  });

  test("channels are merged in the order of the log", async () => {
    await block();
    server.answers[EVENTS] = ({ since, channel }) => {
      if (since === "12") return log([14], 14)();
      return channel ? log([12], 12)() : log([11, 14], 14)();
    };
    server.socket.subscribe("order:1");
    await pass(3_000);
    assert.deepEqual(server.ids, [11, 12]);
    await pass(3_000);
    assert.deepEqual(server.ids, [11, 12, 14]);
  });

  for (const status of [403, 404])
    test(`a channel that may not be read is dropped, and the others go on: ${status}`, async () => {
      await block();
      server.answers[EVENTS] = ({ channel }) => (channel ? refusal(status)() : log([11], 11)());
      server.socket.subscribe("order:1");
      await pass(3_000);
      assert.deepEqual(server.ids, [11]);
      const before = asked().length;
      await pass(3_000);
      assert.deepEqual(
        asked()
          .slice(before)
          .map(({ channel }) => channel),
        [""],
      );
    });

  test("commands are refused while a page polls", async () => {
    const codes = [];
    const send = () => server.socket.send({ type: "order_update" }).catch(({ code }) => codes.push(code));
    await server.open();
    send();
    server.socket.close();
    await block();
    send();
    await settled();
    assert.deepEqual(codes, ["closed", "no_socket"]);
  });

  for (const code of [1013, 4013])
    test(`where sockets are switched off it polls soon, and tries a socket at a moment of its own: ${code}`, async () => {
      server.answers[EVENTS] = log([11], 11);
      await server.live();
      chance(0.1); // of 0 to 5 s, and of 30 to 90 s
      await server.hangUp(code);
      assert.deepEqual([server.socket.state, asked()], ["reconnecting", []]);
      await pass(500);
      assert.deepEqual([server.socket.state, server.ids, server.links.length], ["polling", [11], 1]);
      assert.equal(await server.linksAfter(35), 1);
      assert.equal(await server.linksAfter(1), 2);
      await server.greet({ head: 11, recovered: true });
      assert.equal(server.socket.state, "live");
    });

  test("while events are switched off too, the page reloads its rows every 30 seconds", async () => {
    const off = { status: 503, headers: { "Retry-After": "30" } };
    server.answers[EVENTS] = () => Response.json({ errors: [{ code: "switched_off" }] }, off);
    await server.live();
    await server.hangUp(1013);
    await pass(2_500);
    assert.deepEqual([server.socket.state, server.of("resync").length], ["reloading", 1]);
    for (const times of [2, 3]) {
      await pass(30_000);
      assert.equal(server.of("resync").length, times);
    }
    server.answers[EVENTS] = log([11], 11);
    await pass(30_000);
    assert.deepEqual([server.ids, server.socket.state], [[11], "polling"]);
  });
});
