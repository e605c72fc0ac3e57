/** A page while sockets, or all events, are switched off. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { chance, pass } from "../../../web/tests/js/page.mjs";
import { FakeServer, network } from "./fake-server.mjs";

describe("switched off", () => {
  const SWITCHED_OFF = 1013;
  const EVENTS = "/api/v1/events/";
  const SAID = { status: 503, headers: { "Retry-After": "30" } };
  const OFF = new Response(JSON.stringify({ errors: [{ code: "switched_off" }] }), SAID);
  let server;

  beforeEach(() => {
    server = new FakeServer();
  });
  afterEach(() => server.leave());

  test("a page that may not poll reloads its rows while sockets are off", async () => {
    await server.live({ poll: false });
    await server.hangUp(SWITCHED_OFF);
    assert.equal(await server.linksAfter(2.5), 2);
    for (const links of [3, 4]) {
      await server.hangUp(SWITCHED_OFF);
      assert.equal(await server.linksAfter(30), links);
    }
    assert.deepEqual(server.of("state"), ["live", "reloading"]);
    assert.equal(server.of("resync").length, 2);
    await server.greet({ recovered: true });
    assert.equal(server.socket.state, "live");
  });

  test("a page that reloads its rows and loses the network is offline", async () => {
    await server.live({ poll: false });
    await server.hangUp(SWITCHED_OFF);
    await network(false);
    assert.equal(server.socket.state, "offline");
  });

  for (const [part, first, next] of [
    [0.1, 0.5, 18],
    [0.5, 2.5, 30],
    [0.9, 4.5, 42],
  ])
    for (const poll of [true, false])
      test(`pages load at different moments after the switch: ${poll ? "polling" : "without"} ${part}`, async () => {
        server.answers[EVENTS] = () => OFF.clone();
        await server.live({ poll });
        chance(part);
        const asked = () => (poll ? server.asked.length : server.links.length - 1);
        await server.hangUp(SWITCHED_OFF);
        for (const [turn, seconds] of [first, next, next].entries()) {
          await pass(seconds * 1000 - 250);
          assert.equal(asked(), turn);
          await pass(250);
          assert.equal(asked(), turn + 1);
          if (!poll) await server.hangUp(SWITCHED_OFF);
        }
      });
});
