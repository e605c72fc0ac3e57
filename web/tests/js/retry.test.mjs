import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { get } from "/static/web/api.js";
import { Refetcher, retryNow } from "/static/web/retry.js";
import { chance, pass, settled } from "./page.mjs";

describe("retry", () => {
  /** `next`: the next answers, each a Response, or null where there is none; then 200. */
  let next, asked, got, held, refetcher;

  beforeEach(() => {
    [next, asked, got, held] = [[], 0, [], Promise.resolve()];
    globalThis.fetch = async () => {
      const value = ++asked;
      const answer = next.length ? next.shift() : Response.json({ value });
      await held;
      if (answer === null) throw new TypeError("no line");
      return answer;
    };
    chance(0.999);
    refetcher = new Refetcher(async (key) => got.push((await get(`${key}/`)).value));
  });

  const errors = () => Response.json({ errors: [] }, { status: 401 });
  const UNANSWERED = {
    "no line": () => null,
    503: () => new Response("", { status: 503 }),
    "a proxy's 502": () => new Response("<h1>Bad Gateway</h1>", { status: 502 }),
    401: errors,
    "no JSON": () => new Response("not JSON"),
    "a 500 without a body": () => Response.json(null, { status: 500 }),
    "no object": () => Response.json(null),
  };
  for (const [name, answer] of Object.entries(UNANSWERED))
    test(`a request without an answer is repeated: ${name}`, async () => {
      next = [answer(), answer()];
      refetcher.add("thing");
      await pass(2_000);
      assert.deepEqual(got, [3]);
      assert.equal(refetcher.has("thing"), false);
    });

  test("a request that stalls is given up and repeated", async (context) => {
    context.mock.method(AbortSignal, "timeout", (ms) => {
      const stalled = new AbortController();
      setTimeout(() => stalled.abort(), ms);
      return stalled.signal;
    });
    const answerLater = globalThis.fetch;
    globalThis.fetch = (_, { signal }) => {
      globalThis.fetch = answerLater;
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    };
    refetcher.add("thing");
    await pass(16_000);
    assert.deepEqual(got, [1]);
  });

  test("nothing is sent before the wait that the server asked for, not even by retryNow", async () => {
    next = [Response.json({ errors: [] }, { status: 503, headers: { "Retry-After": "20" } })];
    refetcher.add("thing");
    for (let second = 0; second < 19; second += 1) {
      await pass(1_000);
      retryNow();
    }
    assert.equal(asked, 1);
    await pass(1_000);
    assert.deepEqual(got, [2]);
  });

  const WAKES = {
    retryNow,
    online: () => window.dispatchEvent(new Event("online")),
    visibilitychange: () => document.dispatchEvent(new Event("visibilitychange")),
  };
  for (const [name, wake] of Object.entries(WAKES))
    test(`the request is repeated at once: ${name}`, async () => {
      next = [null, null, null];
      refetcher.add("thing");
      for (let tries = 1; tries <= 4; tries += 1) {
        await settled();
        assert.equal(asked, tries);
        wake();
      }
      await settled();
      assert.deepEqual(got, [4]);
    });

  test("a wake while a request hangs is not lost: the request is repeated as soon as it fails", async () => {
    const { promise, resolve } = Promise.withResolvers();
    [held, next] = [promise, [null]];
    refetcher.add("thing");
    retryNow();
    resolve();
    await pass(1);
    assert.deepEqual(got, [2]);
  });

  test("a wake while a request hangs does not shorten the wait that the server asks for", async () => {
    const { promise, resolve } = Promise.withResolvers();
    [held, next] = [promise, [Response.json({ errors: [] }, { status: 503, headers: { "Retry-After": "20" } })]];
    refetcher.add("thing");
    retryNow();
    resolve();
    await pass(19_000);
    assert.equal(asked, 1);
    await pass(1_000);
    assert.deepEqual(got, [2]);
  });

  test("a change during a request causes one more", async () => {
    const { promise, resolve } = Promise.withResolvers();
    held = promise;
    for (let times = 0; times < 20; times += 1) refetcher.add("thing");
    resolve();
    await settled();
    assert.deepEqual(got, [1, 2]);
  });

  test("changes while there is no answer cause no more requests", async () => {
    next = [null];
    refetcher.add("thing");
    await settled();
    for (let times = 0; times < 20; times += 1) refetcher.add("thing");
    await pass(1_000);
    assert.deepEqual([got, asked], [[2], 2]);
  });
});
