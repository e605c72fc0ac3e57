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
  afterEach(() => server.closePage());

  /** Returns a function that makes a response with these events, complete up to `last`. */
  const log = (ids, last, more = false) => {
    const events = ids.map((id) => ({ type: "order.updated", id, channel: "orders", data: {} }));
    return () => Response.json({ events, last_event_id: last, epoch: "e1", more });
  };
  const refusal = (status, headers) => () => Response.json({}, { status, headers });
  /** The sign-in page of a hotel's network, with status 200. */
  const hotel = () => new Response("<html>");
  const eventRequests = () => server.requests.filter(({ path }) => path === EVENTS);

  /** Opens a page whose sockets are refused while HTTP works. Afterwards it polls if it may; the last poll was less than a second ago. */
  async function block(options = {}) {
    server.refuses = true;
    server.responses = {
      "/health/live": () => new Response("{}"),
      [ORDERS]: () => Response.json({}, { headers: { "Last-Event-Id": "10", "Last-Event-Epoch": "e1" } }),
      [EVENTS]: log([], 10),
      ...server.responses,
    };
    chance(0.05);
    await server.open(options);
    await pass(1_000);
  }

  test("three failed connections while HTTP works start polling", async () => {
    await block();
    assert.deepEqual([server.socket.state, server.connections.length], ["polling", 3]);
    assert.deepEqual([eventRequests()[0].since, eventRequests()[0].epoch], ["10", "e1"]);
    server.responses[EVENTS] = log([11, 12], 12);
    await pass(3_000);
    assert.deepEqual(server.ids, [11, 12]);
    await pass(3_000);
    assert.deepEqual([eventRequests().at(-1).since, server.ids], ["12", [11, 12]]);
  });

  test("a server that is down does not start polling", async () => {
    server.refuses = true;
    chance(0.01);
    await server.open();
    assert.ok((await server.connectionsAfter(2)) >= 5);
    assert.deepEqual([server.socket.state, eventRequests()], ["reconnecting", []]);
  });

  test("polling can be turned off by an option", async () => {
    await block({ poll: false });
    assert.ok((await server.connectionsAfter(2)) >= 5);
    assert.deepEqual(eventRequests(), []);
  });

  test("the next page of events is requested at once", async () => {
    server.responses[EVENTS] = ({ since }) => (since === "10" ? log([11], 11, true)() : log([], 11)());
    await block();
    assert.deepEqual(
      eventRequests().map(({ since }) => since),
      ["10", "11"],
    );
  });

  test("a hidden tab polls less often", async () => {
    document.hidden = true;
    await block();
    assert.equal(eventRequests().length, 1);
    await pass(13_000);
    assert.equal(eventRequests().length, 1);
    await pass(2_000);
    assert.equal(eventRequests().length, 2);
  });

  test("an expired cursor causes one resync, and polling continues from the head of the log", async () => {
    await block({ since: 3 });
    server.socket.subscribe("order:1").subscribe("order:2");
    server.responses[EVENTS] = refusal(410);
    await pass(3_000);
    assert.equal(server.emittedValues("resync").length, 1);
    server.responses[EVENTS] = log([11], 11);
    await pass(3_000);
    assert.deepEqual([server.ids, eventRequests().at(-1).since, eventRequests().at(-1).epoch], [[11], "10", "e1"]);
  });

  test("the socket is retried each minute and replaces polling", async () => {
    await block();
    chance(0.5);
    assert.equal(await server.connectionsAfter(33), 4);
    server.refuses = false;
    assert.equal(await server.connectionsAfter(59), 4);
    assert.equal(await server.connectionsAfter(1), 5);
    assert.equal(server.query.since, "10");
    await server.accept({ recovered: true });
    assert.equal(server.socket.state, "live");
    const before = eventRequests().length;
    await pass(20_000);
    assert.equal(eventRequests().length, before);
  });

  for (const status of [401, 403])
    test(`a page that may not read events is unauthenticated: ${status}`, async () => {
      server.responses[EVENTS] = refusal(status);
      await block();
      assert.deepEqual([server.socket.state, server.emittedValues("unauthenticated").length], ["closed", 1]);
    });

  test("a token is renewed at each refusal if the server accepted it in between", async () => {
    let tokens = 0;
    await block({ token: async () => `token ${++tokens}` });
    for (const count of [2, 3]) {
      server.responses[EVENTS] = refusal(401);
      await pass(3_000);
      server.responses[EVENTS] = log([], 10);
      await pass(3_000);
      assert.deepEqual([server.socket.state, tokens], ["polling", count]);
    }
  });

  for (const [name, answer, seconds] of [
    ["503", refusal(503, { "Retry-After": "20" }), 20],
    ["a proxy's 503 for too long", refusal(503, { "Retry-After": "900" }), 60],
    ["a hotel's page", hotel, 3],
    ["no network", () => Promise.reject(new TypeError("no network")), 3],
  ])
    test(`a page is reconnecting after a failed request, and polls again: ${name}`, async () => {
      await block();
      server.responses[EVENTS] = answer;
      await pass(3_000);
      assert.equal(server.socket.state, "reconnecting");
      server.responses[EVENTS] = log([11], 11);
      const before = eventRequests().length;
      await pass((seconds - 1) * 1000);
      assert.equal(eventRequests().length, before);
      await pass(1_000);
      assert.deepEqual([server.ids, server.socket.state], [[11], "polling"]);
    });

  test("a response without the head of the log does not move the cursor", async () => {
    await block();
    server.responses[ORDERS] = hotel;
    server.responses[EVENTS] = refusal(410);
    await pass(3_000);
    assert.deepEqual([server.socket.state, server.socket.lastEventId], ["reconnecting", 10]);
  });

  test("channels are merged in the order of the log", async () => {
    await block();
    server.responses[EVENTS] = ({ since, channel }) => {
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
    test(`a channel that may not be read is dropped, and the others continue: ${status}`, async () => {
      await block();
      server.responses[EVENTS] = ({ channel }) => (channel ? refusal(status)() : log([11], 11)());
      server.socket.subscribe("order:1");
      await pass(3_000);
      assert.deepEqual(server.ids, [11]);
      const before = eventRequests().length;
      await pass(3_000);
      assert.deepEqual(
        eventRequests()
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
    test(`while sockets are switched off a page polls, and retries a socket after a random wait: ${code}`, async () => {
      server.responses[EVENTS] = log([11], 11);
      await server.openLive();
      chance(0.1); // of 0 to 5 s, and of 30 to 90 s
      await server.closeConnection(code);
      assert.deepEqual([server.socket.state, eventRequests()], ["reconnecting", []]);
      await pass(500);
      assert.deepEqual([server.socket.state, server.ids, server.connections.length], ["polling", [11], 1]);
      assert.equal(await server.connectionsAfter(35), 1);
      assert.equal(await server.connectionsAfter(1), 2);
      await server.accept({ head: 11, recovered: true });
      assert.equal(server.socket.state, "live");
    });

  test("while events are switched off too, the page reloads its rows every 30 seconds", async () => {
    const off = { status: 503, headers: { "Retry-After": "30" } };
    server.responses[EVENTS] = () => Response.json({ errors: [{ code: "switched_off" }] }, off);
    await server.openLive();
    await server.closeConnection(1013);
    await pass(2_500);
    assert.deepEqual([server.socket.state, server.emittedValues("resync").length], ["reloading", 1]);
    for (const times of [2, 3]) {
      await pass(30_000);
      assert.equal(server.emittedValues("resync").length, times);
    }
    server.responses[EVENTS] = log([11], 11);
    await pass(30_000);
    assert.deepEqual([server.ids, server.socket.state], [[11], "polling"]);
  });
});
