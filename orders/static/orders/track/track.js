/** A customer's page: what the server wrote, written anew whenever the order moves, and the driver on a map. */
import { LuckyGasSocket } from "../../realtime/client.js";
import { LiveMap } from "../map.js";
import { find, told } from "../page.js";

/** The driver comes nearer without the order moving: what is said of the minutes is asked again so often. */
const AGAIN_MS = 60_000;
const OLD_MS = 5 * 60_000;

let state = find("#state");
let map = null;
let place = null;

async function load() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer) return;
  // A link that has ended says so on a page of its own.
  if (!answer.ok) return location.reload();
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  renew(find("#state", page));
}

function renew(fresh) {
  const mapped = find("#place");
  const said = find("h1").textContent;
  find("#place", fresh).replaceWith(mapped);
  mapped.hidden = !["delivering", "arriving"].includes(fresh.dataset.status);
  // An unchanged sentence is left alone, so that nobody hears it twice.
  if (find("h1", fresh).textContent === said) find("h1", fresh).replaceWith(find("h1"));
  state.replaceWith(fresh);
  state = fresh;
  draw();
}

/** Only while somebody drives to this stop does the server tell where; what it told of another time is taken away. */
function draw() {
  const element = find("#place");
  const isKnown = place && Date.now() - Date.parse(place.timestamp) < OLD_MS;
  element.hidden = !isKnown || !["delivering", "arriving"].includes(state.dataset.status);
  if (element.hidden) return;
  element.classList.add("map");
  const { door } = told();
  map ??= new LiveMap(element);
  const { driver, driverPin, door: doorTitle, doorPin } = element.dataset;
  map.place("driver", 0, { ...place, text: driverPin, title: driver });
  if (door) map.place("stop", 0, { ...door, text: doorPin, title: doorTitle });
  map.show();
}

const socket = new LuckyGasSocket(state.dataset.socket, { since: state.dataset.since || null });
find("connection-status").socket = socket;
socket.on("delivery.update", load).on("resync", load).on("unauthenticated", load);
socket.on("driver.location", ({ data }) => {
  place = data;
  draw();
});
setInterval(() => document.visibilityState === "visible" && load(), AGAIN_MS);
