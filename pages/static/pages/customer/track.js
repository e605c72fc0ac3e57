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

/** How often the state is reloaded without an event, because the driver's approach changes the expected time. */
const AGAIN_MS = 60_000;
/** An older position of the driver is not shown. */
const OLD_MS = 5 * 60_000;
const GONE = [404, 410];
const DRAW_MS = 5_000;
const LONGEST_MS = 15_000;

let state = find("#state");
/** @type {LiveMap | null} */
let map = null;
/** @type {DriverLocation | null} */
let place = null;
let isShown = false;

const refetcher = new Refetcher(async () => {
  const page = await read();
  if (page) renew(page);
});
const load = () => refetcher.add("state");

/**
 * The current state; null if the page is being reloaded. Rejects with a temporary `ApiError`.
 * @returns {Promise<HTMLElement | null>}
 */
async function read() {
  const asked = performance.now();
  const options = { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(LONGEST_MS) };
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
  // A link that has expired has a page of its own.
  if (GONE.includes(answer.status)) {
    location.reload();
    return null;
  }
  readServerTime(answer, asked);
  /** @type {HTMLElement | null} */
  const fresh = answer.ok ? new DOMParser().parseFromString(text, "text/html").querySelector("#state") : null;
  if (!fresh) throw new ApiError(answer.ok ? 0 : answer.status, [], answer.headers.get("Retry-After"));
  return fresh;
}

/** @param {HTMLElement} fresh */
function renew(fresh) {
  const heading = find("h1", fresh).textContent;
  // Announces a changed heading to screen readers once.
  if (heading !== find("h1", state).textContent) find("#said").textContent = heading;
  find("#place", fresh).replaceWith(find("#place"));
  state.replaceWith(fresh);
  state = fresh;
  draw();
}

/** Hides a stale position. The server sends positions only while the driver is on the way to this stop. */
function draw() {
  const element = find("#place");
  const isKnown = place && now() - Date.parse(place.timestamp) < OLD_MS;
  element.hidden = !isKnown || !isOnTheRoad(/** @type {OrderStatus} */ (state.dataset.status));
  if (element.hidden || !place) return;
  element.classList.add("map");
  const { door } = pageData();
  map ??= new LiveMap(element);
  const { driver, driverPin, door: doorTitle, doorPin } = element.dataset;
  map.place("driver", 0, { ...place, text: driverPin, title: driver });
  if (door) map.place("stop", 0, { ...door, text: doorPin, title: doorTitle });
  // Zooms only once, so that it does not undo the reader's own zoom.
  if (!isShown) map.show();
  isShown = true;
}

const { socket: address = "", since, epoch } = state.dataset;
const socket = new LuckyGasSocket(address, { since, epoch });
find("connection-status").socket = socket;
socket.on("connected", retryNow).on("delivery.update", load).on("resync", load).on("unauthenticated", load);
socket.on("driver.location", ({ data }) => {
  place = data;
  draw();
});
setInterval(draw, DRAW_MS);
setInterval(() => document.visibilityState === "visible" && load(), AGAIN_MS);
