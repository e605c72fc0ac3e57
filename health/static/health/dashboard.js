/** Keeps the dashboard that of the moment: fetched anew when something changed, at most each second, and now and then. */
import { LuckyGasSocket } from "../realtime/client.js";
import { find, findAll, pageData } from "../web/page.js";

/** Events that come close together are one reason to look. */
const SOONEST_MS = 1_000;
/** What no event tells of (connections, a part that fails) is seen after so long. */
const LATEST_MS = 10_000;
/** So soon the server has written down that somebody connected: this page itself, too. */
const COUNTED_MS = 2_000;
/** What this page shows; where drivers are is not among it. */
const SHOWN = /^(order|notification|delivery)\./;
/** Why there is no page, each by the element that says so. */
const REASONS = ["database-down", "failing", "unreachable"];
/** @type {number | undefined} */
let timer;
let due = Infinity;
let lookedAt = performance.now();
let isLooking = false;
let isNews = false;

/**
 * Only what is not the same: an opened table stays open, and nothing is spoken twice.
 * @param {Document} fresh
 */
function put(fresh) {
  for (const element of findAll("[data-live]")) {
    const newer = fresh.querySelector(`[data-live="${element.dataset.live}"]`);
    if (!newer) continue;
    if (element.innerHTML !== newer.innerHTML) element.innerHTML = newer.innerHTML;
    for (const name of ["src", "alt"]) {
      const value = newer.getAttribute(name);
      if (value !== null && element.getAttribute(name) !== value) element.setAttribute(name, value);
    }
  }
}

/** @typedef {{ answer: Response, text: string }} Answered */

/**
 * Null where nobody answers.
 * @param {string} url
 * @returns {Promise<Answered | null>}
 */
async function ask(url) {
  try {
    const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(LATEST_MS) });
    return { answer, text: await answer.text() };
  } catch (error) {
    if (error instanceof TypeError || error instanceof DOMException) return null;
    throw error;
  }
}

/** The site may answer and its database not. */
async function isDatabaseDown() {
  const asked = await ask(pageData().ready);
  if (!asked?.answer.headers.get("Content-Type")?.startsWith("application/json")) return false;
  /** @type {{ database?: { status: string } }} */
  const health = JSON.parse(asked.text);
  return health.database?.status === "unhealthy";
}

/**
 * The one of REASONS that holds.
 * @param {Answered | null} page
 */
async function reasonFor(page) {
  if (await isDatabaseDown()) return "database-down";
  // A proxy that finds no server answers too, without an id of ours.
  return page?.answer.headers.has("X-Request-ID") ? "failing" : "unreachable";
}

async function look() {
  [timer, due, isLooking, isNews] = [undefined, Infinity, true, false];
  try {
    await renew();
  } finally {
    // Whatever came of it, there is a next look.
    [lookedAt, isLooking] = [performance.now(), false];
    within(isNews ? SOONEST_MS : LATEST_MS);
  }
}

async function renew() {
  const page = await ask(location.href);
  if (page?.answer.redirected || page?.answer.status === 403) return location.reload();
  const isThere = page?.answer.ok ?? false;
  if (page && isThere) put(new DOMParser().parseFromString(page.text, "text/html"));
  const wrong = isThere ? null : await reasonFor(page);
  for (const reason of REASONS) find(`#${reason}`).hidden = reason !== wrong;
  // What it says is of then.
  find("#verdict").hidden = !isThere;
}

/**
 * Looks `ms` from now, or sooner where that was said before; a hidden page does not look.
 * @param {number} ms
 */
function within(ms) {
  if (isLooking) isNews = true;
  if (isLooking || document.hidden) return;
  const at = performance.now() + ms;
  if (at >= due) return;
  clearTimeout(timer);
  due = at;
  timer = setTimeout(look, ms);
}

const soon = () => within(Math.max(0, lookedAt + SOONEST_MS - performance.now()));

const socket = new LuckyGasSocket("/api/v1/websocket/ws/office", { user: pageData().user, remember: false });
find("connection-status").socket = socket;
find("notification-toasts").socket = socket;
socket.on("*", ({ type }) => SHOWN.test(type) && soon());
socket
  .on("connected", () => within(COUNTED_MS))
  .on("resync", soon)
  .on("unauthenticated", () => location.reload());
document.addEventListener("visibilitychange", soon);
within(LATEST_MS);
