import assert from "node:assert/strict";
import { test } from "node:test";
import { money } from "/static/web/money.js";
import { age, ago, clock, dayAndClock, dayOf, shortDay } from "/static/web/time.js";

test("days and times are in the business's time zone", () => {
  const late = "2026-11-23T16:05:00Z";
  assert.deepEqual([dayOf(late), clock(late), dayAndClock(late)], ["2026-11-24", "00:05", "11/24, 00:05"]);
  assert.equal(shortDay("2026-01-09"), "1/9");
});

test("an age is in the largest unit that fits", () => {
  const texts = [0, 59, 60, 90_000].map((seconds) => ago(seconds * 1000));
  assert.deepEqual(texts, ["0 seconds ago", "59 seconds ago", "1 minute ago", "1 day ago"]);
  assert.deepEqual(
    [30, 3_600].map((seconds) => age(seconds * 1000)),
    ["0 min", "1 hr"],
  );
});

test("money is whole dollars", () => {
  assert.deepEqual([0, 1600, -50].map(money), ["NT$0", "NT$1,600", "NT$-50"]);
});
