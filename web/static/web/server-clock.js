/**
 * The server's clock. Pages use it because the clock of a phone or an office PC may be days off.
 *
 * `api.js` reports the server's time from each response, and `LuckyGasSocket` from its first frame and each heartbeat. A page that
 * is not cached also has the time in its data (`now`), for its first requests. The offset is stored for the next page.
 */
import { pageData } from "./page.js";
import { readStorage, writeStorage } from "./storage.js";
import { dayOf } from "./time.js";

const KEY = "luckygas:clock";
/** The response header with the server's time, in milliseconds since 1970. */
const TIME = "X-Server-Time";
const DAY_MS = 86_400_000;
/** The maximum age of the time in a frame: slower sockets count as dead (ANSWER_MS of `realtime/connection.js`). */
const FRAME_MS = 10_000;
/** How often to check for a new day and for a change of the device's clock. */
const CHECK_MS = 1_000;
/** If the device's clock moves by more than this against the elapsed time, the clock was set or the device slept. */
const JUMP_MS = 5_000;
/** The time limit of the request for the server's time. */
const TIMEOUT_MS = 5_000;

/**
 * The milliseconds to add to this device's clock; null if the server's time is not known.
 * @type {number | null}
 */
let offsetMs = null;
/** The last time that the server sent, in milliseconds since 1970, and when it was received (`performance.now()`). */
let serverTime = -Infinity;
let receivedAt = performance.now();

/** Restores the offset and the server's time that an earlier page stored, if any. */
function restore() {
  const stored = readStorage(KEY);
  if (!Number.isFinite(stored.offsetMs) || !Number.isFinite(stored.serverTime)) return;
  [offsetMs, serverTime] = [Number(stored.offsetMs), Number(stored.serverTime)];
}

/** The earliest possible time: the last server time plus the elapsed time. Milliseconds since 1970; -Infinity if not known. */
export const earliestNow = () => serverTime + performance.now() - receivedAt;

/** The server's time in milliseconds since 1970. Never before `earliestNow()`, even if this device's clock was set back. */
export const now = () => Math.max(Date.now() + (offsetMs ?? 0), earliestNow());

/** The milliseconds to add to `Date.now()`; null if the server's time is not known. */
export const clockOffset = () => offsetMs;

/**
 * Sets the server's time: its clock showed `time` (milliseconds since 1970) at some moment in the last `withinMs`. A known offset
 * that fits is not replaced, because a slow response is less exact.
 * @param {number} time
 */
export function setServerTime(time, withinMs = FRAME_MS) {
  if (!Number.isFinite(time)) return;
  const minOffset = time - Date.now();
  const fits = offsetMs !== null && offsetMs >= minOffset && offsetMs <= minOffset + withinMs;
  [offsetMs, serverTime, receivedAt] = [fits ? offsetMs : minOffset, time, performance.now()];
  writeStorage(KEY, { offsetMs, serverTime });
}

/**
 * Sets the server's time from the header of a response.
 * @param {Response} response
 * @param {number} sentAt when the request was sent (`performance.now()`)
 */
export function readServerTime(response, sentAt) {
  setServerTime(Number.parseInt(response.headers.get(TIME) ?? "", 10), performance.now() - sentAt);
}

/** The date of today, or of `plus` days later: “2026-11-30”. */
export const today = (plus = 0) => dayOf(now() + plus * DAY_MS);

// --- new day ----------------------------------------------------------------------------------------------------------

/** @type {Set<(day: string) => void>} */
const dayHandlers = new Set();
/** @type {string | null} */
let day = null;
/**
 * The device's clock minus `performance.now()` at the last check.
 * @type {number | null}
 */
let clockStart = null;

/**
 * Calls `call(day)` when a new day begins, when the server's time shows another day, and when this device's clock was set or the
 * device slept.
 * @param {(day: string) => void} call
 */
export function onNewDay(call) {
  dayHandlers.add(call);
}

async function checkDay() {
  const before = clockStart;
  clockStart = Date.now() - performance.now();
  const isJump = before !== null && Math.abs(clockStart - before) > JUMP_MS;
  if (isJump) await requestServerTime();
  const last = day;
  day = today();
  // Whatever was drawn between the jump and the response may show another day.
  if (isJump || (last !== null && day !== last)) for (const call of dayHandlers) call(day);
}

async function requestServerTime() {
  const sentAt = performance.now();
  /** @type {RequestInit} */
  const options = { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) };
  const response = await fetch("/health/live", options).catch(() => null);
  if (response) readServerTime(response, sentAt);
}

restore();
// The server's time is `now` or later, because a browser may have cached the page anyway.
setServerTime(Date.parse(pageData().now ?? ""), Infinity);
setInterval(checkDay, CHECK_MS);
checkDay();
window.addEventListener("pageshow", checkDay);
document.addEventListener("visibilitychange", checkDay);
