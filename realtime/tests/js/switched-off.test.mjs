/** What a page does while sockets, or all events, are switched off. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { network, PlayedServer } from "./played.mjs";

const SWITCHED_OFF = 1013;
let server;

beforeEach(() => {
  server = new PlayedServer();
});
afterEach(() => server.leave());

test("a page that may not poll says that it is loaded anew, as long as sockets are off", async () => {
  await server.live({ poll: false });
  await server.hangUp(SWITCHED_OFF);
  for (const links of [2, 3]) {
    assert.equal(server.socket.state, "reloading");
    assert.equal(await server.linksAfter(30), links);
    await server.hangUp(SWITCHED_OFF);
  }
  assert.deepEqual(server.of("state"), ["live", "reloading"]);
  assert.equal(server.of("resync").length, 3);
  assert.equal(await server.linksAfter(30), 4);
  await server.greet({ recovered: true });
  assert.equal(server.socket.state, "live");
});

test("a page that is loaded anew and loses the network is offline", async () => {
  await server.live({ poll: false });
  await server.hangUp(SWITCHED_OFF);
  await network(false);
  assert.equal(server.socket.state, "offline");
});
