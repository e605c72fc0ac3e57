/**
 * The server's clock, by which all pages go: the clock of a telephone or an office PC may be days away from it.
 *
 * `api.js` passes on what each answer says. A page with a socket calls `follow(socket)`. A page that no browser keeps says
 * the time in its data (`now`), for its first requests. What is known outlives the page.
 */
import { keep, kept } from "./kept.js";
import { told } from "./page.js";
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
 * How far this device is behind the server, in milliseconds; null: never heard.
 * @type {number | null}
 */
let behindMs = null;
/** What the server's clock said last, in milliseconds since 1970, and when that was (`performance.now()`). */
let heard = -Infinity;
let heardAt = performance.now();

/** Where nothing was kept, this page begins with the clock of the device. */
function recall() {
  const last = kept(KEY);
  if (Number.isFinite(last?.behindMs) && Number.isFinite(last.heard)) ({ behindMs, heard } = last);
}

/** The least that the server's clock can say now: no later moment is earlier than what was heard. */
export const least = () => heard + performance.now() - heardAt;

/** Milliseconds since 1970. A clock of this device that was set back since the server was heard changes nothing. */
export const now = () => Math.max(Date.now() + (behindMs ?? 0), least());

/** What is to be added to `Date.now()`, in milliseconds, by what was heard last; null where nothing was. */
export const correction = () => behindMs;

/**
 * The server said `stamp` (milliseconds since 1970) at some moment of the last `withinMs`. A correction that agrees with that stays:
 * an answer that was long on its way tells nothing new.
 * @param {number} stamp
 */
export function hear(stamp, withinMs = FRAME_MS) {
  if (!Number.isFinite(stamp)) return;
  const soonest = stamp - Date.now();
  const isRight = behindMs !== null && behindMs >= soonest && behindMs <= soonest + withinMs;
  [behindMs, heard, heardAt] = [isRight ? behindMs : soonest, stamp, performance.now()];
  keep(KEY, { behindMs, heard });
}

/**
 * Hears what the header of an answer says.
 * @param {Response} answer
 * @param {number} asked when the question left (`performance.now()`)
 */
export function hearAnswer(answer, asked) {
  hear(Number.parseInt(answer.headers.get(TIME) ?? "", 10), performance.now() - asked);
}

/** @typedef {(name: "connection" | "heartbeat", heard: (frame: { timestamp: string }) => void) => unknown} OnFrame */

/**
 * Also hears what the server says by this `LuckyGasSocket`.
 * @param {{ on: OnFrame }} socket
 */
export function follow(socket) {
  socket.on("connection", ({ timestamp }) => hear(Date.parse(timestamp)));
  socket.on("heartbeat", ({ timestamp }) => hear(Date.parse(timestamp)));
}

/** The day so many days from today. */
export const today = (plus = 0) => dayOf(now() + plus * DAY_MS);

// --- another day ------------------------------------------------------------------------------------------------------

/** @type {Set<(day: string) => void>} */
const followers = new Set();
/** @type {string | null} */
let day = null;
/** @type {number | null} */
let ahead = null;

/**
 * Calls `call(day)` whenever another day begins or turns out to be today, and when this device's clock was set.
 * @param {(day: string) => void} call
 */
export function onNewDay(call) {
  followers.add(call);
}

async function look() {
  const before = ahead;
  ahead = Date.now() - performance.now();
  const isJump = before !== null && Math.abs(ahead - before) > JUMP_MS;
  if (isJump) await askAgain();
  const last = day;
  day = today();
  // What was drawn between the jump and the answer may be of another day.
  if (isJump || (last !== null && day !== last)) for (const call of followers) call(day);
}

async function askAgain() {
  const asked = performance.now();
  /** @type {RequestInit} */
  const options = { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) };
  const answer = await fetch("/health/live", options).catch(() => null);
  if (answer) hearAnswer(answer, asked);
}

recall();
// Such a page may have been kept all the same: the server's clock says that or later.
hear(Date.parse(told().now ?? ""), Infinity);
setInterval(look, LOOK_MS);
look();
window.addEventListener("pageshow", look);
document.addEventListener("visibilitychange", look);
