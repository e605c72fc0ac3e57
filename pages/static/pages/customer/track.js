/** The customer's tracking page: reloads its state when the order changes, and shows the driver on a map. */
/** @import { DriverLocation } from "types/events" */
/** @import { OrderStatus } from "types/rows" */
import { LuckyGasSocket } from "../../realtime/client.js";
import { ApiError } from "../../web/api.js";
import { find, pageData } from "../../web/page.js";
import { Refetcher, retryNow } from "../../web/retry.js";
import { now, readServerTime } from "../../web/server-clock.js";
import { isOnTheRoad } from "../../web/statuses.js";
import { LiveMap } from "../map.js";

/** How often a visible page reloads its state without an event, because the driver's approach changes the expected time. */
const RELOAD_MS = 60_000;
/** The maximum age of a driver's position on the map. */
const MAX_AGE_MS = 5 * 60_000;
/** The HTTP statuses of a link that is unknown or has expired. */
const GONE = [404, 410];
/** How often the map is drawn again, to hide a stale position. */
const DRAW_MS = 5_000;
/** The time limit of a reload. */
const TIMEOUT_MS = 15_000;

let state = find("#state");
/** @type {LiveMap | null} */
let map = null;
/** @type {DriverLocation | null} */
let driverLocation = null;
let hasZoomed = false;

const refetcher = new Refetcher(async () => {
  const fresh = await read();
  if (fresh) showState(fresh);
});
const load = () => refetcher.add("state");

/**
 * The current state; null if the page is being reloaded. Rejects with a temporary `ApiError`.
 * @returns {Promise<HTMLElement | null>}
 */
async function read() {
  const requestedAt = performance.now();
  const options = { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(TIMEOUT_MS) };
  /** @type {Response} */
  let answer;
  /** @type {string} */
  let text;
  try {
    answer = await fetch(location.href, options);
    text = await answer.text();
  } catch {
    throw new ApiError(0);
  }
  // The reload shows the page for expired links.
  if (GONE.includes(answer.status)) {
    location.reload();
    return null;
  }
  readServerTime(answer, requestedAt);
  /** @type {HTMLElement | null} */
  const fresh = answer.ok ? new DOMParser().parseFromString(text, "text/html").querySelector("#state") : null;
  if (!fresh) throw new ApiError(answer.ok ? 0 : answer.status, [], answer.headers.get("Retry-After"));
  return fresh;
}

/** @param {HTMLElement} fresh */
function showState(fresh) {
  const heading = find("h1", fresh).textContent;
  // Announces a changed heading to screen readers once.
  if (heading !== find("h1", state).textContent) find("#announcement").textContent = heading;
  find("#place", fresh).replaceWith(find("#place"));
  state.replaceWith(fresh);
  state = fresh;
  draw();
}

/**
 * Shows the driver on the map, or hides the map if no recent position is known. The server sends positions only while the driver
 * is on the way to this stop.
 */
function draw() {
  const element = find("#place");
  const isRecent = driverLocation && now() - Date.parse(driverLocation.timestamp) < MAX_AGE_MS;
  element.hidden = !isRecent || !isOnTheRoad(/** @type {OrderStatus} */ (state.dataset.status));
  if (element.hidden || !driverLocation) return;
  element.classList.add("map");
  const { door } = pageData();
  map ??= new LiveMap(element);
  const { driver, driverPin, door: doorTitle, doorPin } = element.dataset;
  map.place("driver", 0, { ...driverLocation, text: driverPin, title: driver });
  if (door) map.place("stop", 0, { ...door, text: doorPin, title: doorTitle });
  // Zooms only once: later the reader may have zoomed.
  if (!hasZoomed) map.fitAll();
  hasZoomed = true;
}

const { socket: address = "", since, epoch } = state.dataset;
const socket = new LuckyGasSocket(address, { since, epoch });
find("connection-status").socket = socket;
socket.on("connected", retryNow).on("delivery.update", load).on("resync", load).on("unauthenticated", load);
socket.on("driver.location", ({ data }) => {
  driverLocation = data;
  draw();
});
setInterval(draw, DRAW_MS);
setInterval(() => document.visibilityState === "visible" && load(), RELOAD_MS);
