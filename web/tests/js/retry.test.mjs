import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { get } from "/static/web/api.js";
import { Refetcher, retryNow } from "/static/web/retry.js";
import { chance, pass, settled } from "./page.mjs";

describe("retry", () => {
  /**
   * `next`: the next results of `fetch`, each a Response, or null for no network. Later requests succeed, with their number as
   * the value. `sent` counts the requests, `values` has the values received, and results wait for `held`.
   */
  let next, sent, values, held, refetcher;

  beforeEach(() => {
    [next, sent, values, held] = [[], 0, [], Promise.resolve()];
    globalThis.fetch = async () => {
      const value = ++sent;
      const response = next.length ? next.shift() : Response.json({ value });
      await held;
      if (response === null) throw new TypeError("no network");
      return response;
    };
    chance(0.999);
    refetcher = new Refetcher(async (key) => values.push((await get(`${key}/`)).value));
  });

  const errors = () => Response.json({ errors: [] }, { status: 401 });
  const TEMPORARY = {
    "no network": () => null,
    503: () => new Response("", { status: 503 }),
    "a proxy's 502": () => new Response("<h1>Bad Gateway</h1>", { status: 502 }),
    401: errors,
    "no JSON": () => new Response("not JSON"),
    "a 500 without a body": () => Response.json(null, { status: 500 }),
    "no object": () => Response.json(null),
  };
  for (const [name, response] of Object.entries(TEMPORARY))
    test(`a request is repeated after a temporary failure: ${name}`, async () => {
      next = [response(), response()];
      refetcher.add("thing");
      await pass(2_000);
      assert.deepEqual(values, [3]);
      assert.equal(refetcher.has("thing"), false);
    });

  test("a request that stalls is aborted and repeated", async (context) => {
    context.mock.method(AbortSignal, "timeout", (ms) => {
      const stalled = new AbortController();
      setTimeout(() => stalled.abort(), ms);
      return stalled.signal;
    });
    const answeringFetch = globalThis.fetch;
    globalThis.fetch = (_, { signal }) => {
      globalThis.fetch = answeringFetch;
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    };
    refetcher.add("thing");
    await pass(16_000);
    assert.deepEqual(values, [1]);
  });

  test("nothing is sent during the wait that the server asks for, not even by retryNow", async () => {
    next = [Response.json({ errors: [] }, { status: 503, headers: { "Retry-After": "20" } })];
    refetcher.add("thing");
    for (let second = 0; second < 19; second += 1) {
      await pass(1_000);
      retryNow();
    }
    assert.equal(sent, 1);
    await pass(1_000);
    assert.deepEqual(values, [2]);
  });

  const WAKES = {
    retryNow,
    online: () => window.dispatchEvent(new Event("online")),
    visibilitychange: () => document.dispatchEvent(new Event("visibilitychange")),
  };
  for (const [name, wake] of Object.entries(WAKES))
    test(`a failed request is repeated at once after ${name}`, async () => {
      next = [null, null, null];
      refetcher.add("thing");
      for (let tries = 1; tries <= 4; tries += 1) {
        await settled();
        assert.equal(sent, tries);
        wake();
      }
      await settled();
      assert.deepEqual(values, [4]);
    });

  test("after retryNow a request under way is repeated as soon as it fails", async () => {
    const { promise, resolve } = Promise.withResolvers();
    [held, next] = [promise, [null]];
    refetcher.add("thing");
    retryNow();
    resolve();
    await pass(1);
    assert.deepEqual(values, [2]);
  });

  test("retryNow during a request does not shorten the wait that the server asks for", async () => {
    const { promise, resolve } = Promise.withResolvers();
    [held, next] = [promise, [Response.json({ errors: [] }, { status: 503, headers: { "Retry-After": "20" } })]];
    refetcher.add("thing");
    retryNow();
    resolve();
    await pass(19_000);
    assert.equal(sent, 1);
    await pass(1_000);
    assert.deepEqual(values, [2]);
  });

  test("many changes during a request cause one more request", async () => {
    const { promise, resolve } = Promise.withResolvers();
    held = promise;
    for (let times = 0; times < 20; times += 1) refetcher.add("thing");
    resolve();
    await settled();
    assert.deepEqual(values, [1, 2]);
  });

  test("changes during the pause before a retry cause no further requests", async () => {
    next = [null];
    refetcher.add("thing");
    await settled();
    for (let times = 0; times < 20; times += 1) refetcher.add("thing");
    await pass(1_000);
    assert.deepEqual([values, sent], [[2], 2]);
  });
});
