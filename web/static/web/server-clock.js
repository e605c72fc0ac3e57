/**
 * The server's clock, used by all pages: the clock of a phone or an office PC may be days off.
 *
 * `api.js` passes on the time in each response, `LuckyGasSocket` that in its first frame and in each heartbeat. A page that is not
 * cached has the time in its data (`now`), for its first requests. The offset is stored for the next page.
 */
import { pageData } from "./page.js";
import { readStorage, writeStorage } from "./storage.js";
import { dayOf } from "./time.js";

const KEY = "luckygas:clock";
/** The response header with the server's time, in milliseconds since 1970. */
const TIME = "X-Server-Time";
const DAY_MS = 86_400_000;
/** The longest time that a frame takes: slower sockets count as dead (ANSWER_MS of `realtime/connection.js`). */
const FRAME_MS = 10_000;
const LOOK_MS = 1_000;
/** If the device's clock differs by this much from the elapsed time, the clock was set or the device slept. */
const JUMP_MS = 5_000;
const PATIENCE_MS = 5_000;

/**
 * The milliseconds to add to this device's clock; null if the server's time is not known.
 * @type {number | null}
 */
let offsetMs = null;
/** The last time the server sent, in milliseconds since 1970, and when it was received (`performance.now()`). */
let serverTime = -Infinity;
let receivedAt = performance.now();

/** Restores the stored offset. Without one, the page starts with the device's clock. */
function restore() {
  const stored = readStorage(KEY);
  if (!Number.isFinite(stored.offsetMs) || !Number.isFinite(stored.serverTime)) return;
  [offsetMs, serverTime] = [Number(stored.offsetMs), Number(stored.serverTime)];
}

/** The earliest possible time: the last server time plus the elapsed time. Milliseconds since 1970. */
export const earliestNow = () => serverTime + performance.now() - receivedAt;

/** Milliseconds since 1970. Correct even if this device's clock was set back since the last server time. */
export const now = () => Math.max(Date.now() + (offsetMs ?? 0), earliestNow());

/** The milliseconds to add to `Date.now()`; null if the server's time is not known. */
export const clockOffset = () => offsetMs;

/**
 * Sets the server's time: its clock showed `time` (milliseconds since 1970) at some moment in the last `withinMs`. A known offset
 * that fits is kept, because a slow response is less exact.
 * @param {number} time
 */
export function setServerTime(time, withinMs = FRAME_MS) {
  if (!Number.isFinite(time)) return;
  const soonest = time - Date.now();
  const isRight = offsetMs !== null && offsetMs >= soonest && offsetMs <= soonest + withinMs;
  [offsetMs, serverTime, receivedAt] = [isRight ? offsetMs : soonest, time, performance.now()];
  writeStorage(KEY, { offsetMs, serverTime });
}

/**
 * Takes the time from the header of an answer.
 * @param {Response} answer
 * @param {number} sentAt when the request left (`performance.now()`)
 */
export function readServerTime(answer, sentAt) {
  setServerTime(Number.parseInt(answer.headers.get(TIME) ?? "", 10), performance.now() - sentAt);
}

/** The date of today, or `plus` days later: “2026-11-30”. */
export const today = (plus = 0) => dayOf(now() + plus * DAY_MS);

// --- new day ----------------------------------------------------------------------------------------------------------

/** @type {Set<(day: string) => void>} */
const dayHandlers = new Set();
/** @type {string | null} */
let day = null;
/** @type {number | null} */
let ahead = null;

/**
 * Calls `call(day)` when a new day begins, when the server's time shows another day, and when this device's clock was set.
 * @param {(day: string) => void} call
 */
export function onNewDay(call) {
  dayHandlers.add(call);
}

async function look() {
  const before = ahead;
  ahead = Date.now() - performance.now();
  const isJump = before !== null && Math.abs(ahead - before) > JUMP_MS;
  if (isJump) await askServer();
  const last = day;
  day = today();
  // Whatever was drawn between the jump and the response may show another day.
  if (isJump || (last !== null && day !== last)) for (const call of dayHandlers) call(day);
}

async function askServer() {
  const sentAt = performance.now();
  /** @type {RequestInit} */
  const options = { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) };
  const answer = await fetch("/health/live", options).catch(() => null);
  if (answer) readServerTime(answer, sentAt);
}

restore();
// A browser may have cached the page anyway, so the server's time is `now` or later.
setServerTime(Date.parse(pageData().now ?? ""), Infinity);
setInterval(look, LOOK_MS);
look();
window.addEventListener("pageshow", look);
document.addEventListener("visibilitychange", look);
