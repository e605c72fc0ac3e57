import assert from "node:assert/strict";
import { after, beforeEach, describe, test } from "node:test";
import { setServerTime } from "/static/web/server-clock.js";
import { pass } from "./page.mjs";

describe("server clock", () => {
  const DAY = 86_400_000;
  /** The error of the device's clock in milliseconds. */
  let off = 0;
  let pages = 0;
  const real = Date.now;

  beforeEach(() => {
    off = 0;
    Date.now = () => real() + off;
  });
  after(async () => {
    Date.now = real;
    setServerTime(real(), 0);
    // The clocks of this file notice this jump here; later, they would send a request in a test of another file.
    await pass(1_000);
  });

  /** The module as a new page loads it. */
  const loadModule = () => import(`/static/web/server-clock.js?${++pages}`);
  const errorOf = ({ now }) => Math.abs(now() - real());

  test("a device whose clock is days off shows the server's time", async () => {
    for (off of [-DAY, DAY, 3_600_000, -1024 * 7 * DAY]) {
      const clock = await loadModule();
      clock.setServerTime(real(), 100);
      assert.ok(errorOf(clock) <= 100);
    }
  });

  test("setting the device's clock back does not change the time shown", async () => {
    const clock = await loadModule();
    clock.setServerTime(real(), 100);
    off = -3_600_000;
    assert.ok(errorOf(clock) <= 100);
    clock.setServerTime(real(), 100);
    assert.ok(errorOf(clock) <= 100);
  });

  test("a slow response does not change a correct offset", async () => {
    const clock = await loadModule();
    clock.setServerTime(real(), 100);
    clock.setServerTime(real() - 9_000, 9_500);
    assert.ok(errorOf(clock) <= 100);
  });

  test("the offset is stored for the next page, and invalid data does not change it", async () => {
    off = -DAY;
    const clock = await loadModule();
    for (const stamp of [real(), NaN, Infinity]) clock.setServerTime(stamp, 100);
    assert.ok(errorOf(clock) <= 100);
    assert.ok(errorOf(await loadModule()) <= 100);
    localStorage.setItem("luckygas:clock", '{"offsetMs": "x"}');
    assert.equal((await loadModule()).clockOffset(), null);
  });

  test("after the device's clock was set ahead, the server's time decides which day it is", async () => {
    const clock = await loadModule();
    const days = [];
    clock.setServerTime(real(), 100);
    clock.onNewDay((day) => days.push(day));
    globalThis.fetch = async () => new Response("{}", { headers: { "X-Server-Time": String(real()) } });
    off = DAY;
    await pass(2_000);
    assert.ok(errorOf(clock) < 2_000);
    assert.deepEqual(days, ["2026-11-23"]);
  });

  test("a device that slept over midnight without a network shows the new day", async () => {
    const clock = await loadModule();
    const days = [];
    clock.setServerTime(real(), 100);
    clock.onNewDay((day) => days.push(day));
    globalThis.fetch = async () => Promise.reject(new TypeError("no network"));
    off = DAY;
    await pass(2_000);
    assert.deepEqual(days, ["2026-11-24"]);
  });

  test("a new day begins at midnight", async () => {
    const clock = await loadModule();
    const days = [];
    clock.onNewDay((day) => days.push(day));
    clock.setServerTime(Date.parse("2026-11-24T00:00:00+08:00") - 1_500, 0);
    await pass(1_000);
    assert.deepEqual(days, []);
    await pass(1_000);
    assert.deepEqual(days, ["2026-11-24"]);
  });

  test("a response of the API sets the clock", async () => {
    const [{ get }, clock] = [await import("/static/web/api.js"), await import("/static/web/server-clock.js")];
    globalThis.fetch = async () => Response.json({}, { headers: { "X-Server-Time": String(real()) } });
    off = DAY;
    await get("orders/");
    assert.ok(errorOf(clock) <= 100);
  });
});
