/**
 * The server's clock, by which all pages go: the clock of a telephone or an office PC may be days away from it.
 *
 * `api.js` passes on the time in each answer, `LuckyGasSocket` that in its first frame and in each heartbeat. A page that no browser
 * keeps has the time in its data (`now`), for its first requests. The offset is stored for the next page.
 */
import { pageData } from "./page.js";
import { readStorage, writeStorage } from "./storage.js";
import { dayOf } from "./time.js";

const KEY = "luckygas:clock";
/** The server's clock in each of its answers, in milliseconds since 1970. */
const TIME = "X-Server-Time";
const DAY_MS = 86_400_000;
/** The socket counts as dead when it takes longer than this to bring a frame (ANSWER_MS of `realtime/link.js`). */
const FRAME_MS = 10_000;
const LOOK_MS = 1_000;
/** The clock of this device was set, or the device slept, where it differs by so much from the time that went by. */
const JUMP_MS = 5_000;
const PATIENCE_MS = 5_000;

/**
 * What is to be added to this device's clock, in milliseconds; null: the server's is not known.
 * @type {number | null}
 */
let offsetMs = null;
/** The last time the server sent, in milliseconds since 1970, and when that was (`performance.now()`). */
let serverTime = -Infinity;
let receivedAt = performance.now();

/** Without a stored offset, this page begins with the clock of the device. */
function restore() {
  const stored = readStorage(KEY);
  if (!Number.isFinite(stored.offsetMs) || !Number.isFinite(stored.serverTime)) return;
  [offsetMs, serverTime] = [Number(stored.offsetMs), Number(stored.serverTime)];
}

/** The earliest that it can be: the last time from the server, and what went by since. Milliseconds since 1970. */
export const earliestNow = () => serverTime + performance.now() - receivedAt;

/** Milliseconds since 1970, also where the clock of this device was set back since the server sent its time. */
export const now = () => Math.max(Date.now() + (offsetMs ?? 0), earliestNow());

/** What is to be added to `Date.now()`, in milliseconds; null where the server's time is not known. */
export const clockOffset = () => offsetMs;

/**
 * The server's clock said `time` (milliseconds since 1970) at some moment of the last `withinMs`. An offset that agrees with
 * that stays: an answer that was long on its way says nothing more exact.
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

/** The day so many days from today. */
export const today = (plus = 0) => dayOf(now() + plus * DAY_MS);

// --- another day ------------------------------------------------------------------------------------------------------

/** @type {Set<(day: string) => void>} */
const dayHandlers = new Set();
/** @type {string | null} */
let day = null;
/** @type {number | null} */
let ahead = null;

/**
 * Calls `call(day)` whenever another day begins or turns out to be today, and when this device's clock was set.
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
  // What was drawn between the jump and the answer may be of another day.
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
// A browser may have kept such a page all the same: the server's clock says `now` or later.
setServerTime(Date.parse(pageData().now ?? ""), Infinity);
setInterval(look, LOOK_MS);
look();
window.addEventListener("pageshow", look);
document.addEventListener("visibilitychange", look);
