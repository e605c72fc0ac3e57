/** Keeps the dashboard up to date: fetches the page again after events, at most once a second, and every ten seconds. */
import { LuckyGasSocket } from "../realtime/client.js";
import { find, findAll, pageData } from "../web/page.js";

/** The minimum time between two requests, so that a burst of events causes one. */
const MIN_GAP_MS = 1_000;
/** The maximum time between two requests. Some changes have no event: connections, a failing component. */
const MAX_GAP_MS = 10_000;
/** The server counts a new connection, including this page's, within this time. */
const COUNTED_MS = 2_000;
/** Events that change what this page shows. Positions of drivers do not change it. */
const SHOWN = /^(order|notification|delivery)\./;
/** Ids of the elements that explain why the page could not be loaded. */
const REASONS = ["database-down", "failing", "unreachable"];
/** @type {number | undefined} */
let timer;
let due = Infinity;
let loadedAt = performance.now();
let isLoading = false;
let isOutdated = false;

/**
 * Copies the elements with `data-live` from a new version of the page. Leaves equal elements untouched: open tables stay open, and
 * a screen reader repeats nothing.
 * @param {Document} fresh
 */
function update(fresh) {
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

/** @typedef {{ answer: Response, text: string }} Page */

/**
 * The response and its text; null if no server answers.
 * @param {string} url
 * @returns {Promise<Page | null>}
 */
async function fetchText(url) {
  try {
    const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(MAX_GAP_MS) });
    return { answer, text: await answer.text() };
  } catch (error) {
    if (error instanceof TypeError || error instanceof DOMException) return null;
    throw error;
  }
}

/** Whether the health check reports the database as down. The site may answer although its database is down. */
async function isDatabaseDown() {
  const health = await fetchText(pageData().ready);
  if (!health?.answer.headers.get("Content-Type")?.startsWith("application/json")) return false;
  /** @type {{ database?: { status: string } }} */
  const { database } = JSON.parse(health.text);
  return database?.status === "unhealthy";
}

/**
 * Why the page could not be loaded: one of REASONS.
 * @param {Page | null} page
 */
async function reasonFor(page) {
  if (await isDatabaseDown()) return "database-down";
  // Only our server sets a request id. A response without one comes from a proxy that reached no server.
  return page?.answer.headers.has("X-Request-ID") ? "failing" : "unreachable";
}

async function load() {
  [timer, due, isLoading, isOutdated] = [undefined, Infinity, true, false];
  try {
    await refresh();
  } finally {
    // After an error too, the next load is scheduled.
    [loadedAt, isLoading] = [performance.now(), false];
    within(isOutdated ? MIN_GAP_MS : MAX_GAP_MS);
  }
}

async function refresh() {
  const page = await fetchText(location.href);
  if (page?.answer.redirected || page?.answer.status === 403) return location.reload();
  const isLoaded = page?.answer.ok ?? false;
  if (page && isLoaded) update(new DOMParser().parseFromString(page.text, "text/html"));
  const current = isLoaded ? null : await reasonFor(page);
  for (const reason of REASONS) find(`#${reason}`).hidden = reason !== current;
  // The verdict on the page is stale if the load failed.
  find("#verdict").hidden = !isLoaded;
}

/**
 * Schedules a load in `ms`, unless one is due sooner. Does nothing while the page is hidden. During a load it only records that
 * the page is outdated, and the next load follows soon.
 * @param {number} ms
 */
function within(ms) {
  if (isLoading) isOutdated = true;
  if (isLoading || document.hidden) return;
  const at = performance.now() + ms;
  if (at >= due) return;
  clearTimeout(timer);
  due = at;
  timer = setTimeout(load, ms);
}

const loadSoon = () => within(Math.max(0, loadedAt + MIN_GAP_MS - performance.now()));

const socket = new LuckyGasSocket("/api/v1/websocket/ws/office", { user: pageData().user, remember: false });
find("connection-status").socket = socket;
find("notification-toasts").socket = socket;
socket.on("*", ({ type }) => SHOWN.test(type) && loadSoon());
socket
  .on("connected", () => within(COUNTED_MS))
  .on("resync", loadSoon)
  .on("unauthenticated", () => location.reload());
document.addEventListener("visibilitychange", loadSoon);
within(MAX_GAP_MS);
