import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff, serverWaitMs } from "/static/web/backoff.js";
import { chance } from "./page.mjs";

/** The first `count` waits, and the one after a reset. */
function delays(random, count) {
  chance(random);
  const backoff = new Backoff();
  const found = Array.from({ length: count }, () => backoff.next());
  backoff.reset();
  return [...found, backoff.next()];
}

test("waits double from half a second to thirty seconds until the reset", () => {
  assert.deepEqual(delays(1, 9), [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000, 500]);
});

test("waits have full jitter", () => {
  assert.deepEqual(delays(0, 3), [0, 0, 0, 0]);
  assert.deepEqual(delays(0.5, 2), [250, 500, 250]);
});

test("the server's wait is converted to milliseconds, up to a limit", () => {
  assert.deepEqual(
    [4, -1, 3600, "soon", null].map((seconds) => serverWaitMs(seconds, 60)),
    [4000, 0, 60000, 0, 0],
  );
});
