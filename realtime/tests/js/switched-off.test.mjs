/** A page while sockets or all events are switched off. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { chance, pass } from "../../../web/tests/js/page.mjs";
import { FakeServer, setOnline } from "./fake-server.mjs";

describe("switched off", () => {
  const SWITCHED_OFF = 1013;
  const EVENTS = "/api/v1/events/";
  const OFF_FIELDS = { status: 503, headers: { "Retry-After": "30" } };
  const OFF = new Response(JSON.stringify({ errors: [{ code: "switched_off" }] }), OFF_FIELDS);
  let server;

  beforeEach(() => {
    server = new FakeServer();
  });
  afterEach(() => server.closePage());

  test("a page that may not poll reloads its rows while sockets are off", async () => {
    await server.openLive({ poll: false });
    await server.closeConnection(SWITCHED_OFF);
    assert.equal(await server.connectionsAfter(2.5), 2);
    for (const count of [3, 4]) {
      await server.closeConnection(SWITCHED_OFF);
      assert.equal(await server.connectionsAfter(30), count);
    }
    assert.deepEqual(server.emittedValues("state"), ["live", "reloading"]);
    assert.equal(server.emittedValues("resync").length, 2);
    await server.accept({ recovered: true });
    assert.equal(server.socket.state, "live");
  });

  test("a page that reloads its rows and loses the network is offline", async () => {
    await server.openLive({ poll: false });
    await server.closeConnection(SWITCHED_OFF);
    await setOnline(false);
    assert.equal(server.socket.state, "offline");
  });

  for (const [part, first, next] of [
    [0.1, 0.5, 18],
    [0.5, 2.5, 30],
    [0.9, 4.5, 42],
  ])
    for (const poll of [true, false])
      test(`pages load at different moments after the switch: ${poll ? "polling" : "not polling"}, chance ${part}`, async () => {
        server.responses[EVENTS] = () => OFF.clone();
        await server.openLive({ poll });
        chance(part);
        const loads = () => (poll ? server.requests.length : server.connections.length - 1);
        await server.closeConnection(SWITCHED_OFF);
        for (const [turn, seconds] of [first, next, next].entries()) {
          await pass(seconds * 1000 - 250);
          assert.equal(loads(), turn);
          await pass(250);
          assert.equal(loads(), turn + 1);
          if (!poll) await server.closeConnection(SWITCHED_OFF);
        }
      });
});
