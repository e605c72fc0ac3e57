/** The driver's page: shows the server's stops, with the statuses of waiting reports applied. */
/** @import { ProofBody, ProofImage, Report, Stop } from "types/driver" */
/** @import { Connected, OrderFrame, SocketState } from "types/events" */
/** @import { OrderRow, OrderStatus } from "types/rows" */
import { LuckyGasSocket } from "../../realtime/client.js";
import { watchPage } from "../../web/lifecycle.js";
import { money } from "../../web/money.js";
import { closest, copyTemplate, fill, find, pageData } from "../../web/page.js";
import { retryNow } from "../../web/retry.js";
import { now, onNewDay } from "../../web/server-clock.js";
import { isOnTheRoad, isWithDriver, withDriver } from "../../web/statuses.js";
import "../../realtime/elements.js";
import { announceAllReported } from "./all-reported.js";
import { Database } from "./database.js";
import { askReason } from "./failed.js";
import { deletePage, install, onSignOut } from "./home-screen.js";
import { backMove, onwardMove } from "./moves.js";
import { drawAge, drawRefused, drawWaiting } from "./notices.js";
import { Position } from "./position.js";
import { askProof } from "./proof.js";
import { Queue } from "./queue.js";
import { Stops } from "./stops.js";
import { isSecondTap, recordPageChange } from "./taps.js";
import { fillCard, Rows } from "./view.js";

const { user, driver } = pageData();
/** The maximum age of a position that counts as the place of a delivery. */
const RECENT_MS = 120_000;
/** How often the notice about stale stops is drawn again. */
const AGE_MS = 30_000;

const database = new Database(user);
const stops = new Stops(database, driver);
const queue = new Queue(database, { user, driver });
const others = new Rows(find("#others"), "stop-row", choose);
const done = new Rows(find("#done"), "done-row");
const toasts = find("notification-toasts");
/** @type {HTMLElement | null} */
let card = null;
/** @type {number | null} */
let chosen = null;
/** @type {Position | null} */
let position = null;
let isLeaving = false;

/**
 * The stops with the statuses of waiting reports.
 * @returns {Stop[]}
 */
function currentStops() {
  const numbers = numbersOf(stops.list);
  return stops.list.map((row) => {
    const waiting = queue.waiting.filter(({ order }) => order === row.id);
    const to = waiting.findLast((entry) => entry.to)?.to;
    return { row, status: to ?? row.status, isPending: waiting.length > 0, number: numbers.get(row.id) ?? 0 };
  });
}

/**
 * The number of each stop, by order id: its place on the route. Orders without a place, or with the place of another order, get
 * the numbers after the last place.
 * @param {OrderRow[]} rows
 */
function numbersOf(rows) {
  /** @type {Map<number, number>} */
  const idsByPlace = new Map();
  for (const { id, stop_sequence: own } of rows) if (own != null && !idsByPlace.has(own)) idsByPlace.set(own, id);
  let last = Math.max(0, ...idsByPlace.keys());
  const numbers = new Map([...idsByPlace].map(([number, id]) => [id, number]));
  for (const { id } of rows) if (!numbers.has(id)) numbers.set(id, ++last);
  return numbers;
}

/**
 * The stop that the driver chose; else one where the driver is arriving, else one on the road, else the first.
 * @param {Stop[]} open
 * @returns {Stop | undefined}
 */
function nextOf(open) {
  /** @param {Stop} stop */
  const rank = ({ status }) => withDriver.indexOf(status);
  return open.find(({ row }) => row.id === chosen) ?? [...open].sort((a, b) => rank(b) - rank(a))[0];
}

function draw() {
  const all = currentStops();
  const open = all.filter(({ status }) => isWithDriver(status));
  const closed = all.filter(({ status }) => !isWithDriver(status));
  const next = nextOf(open);
  drawCard(next);
  drawSection(
    find("#others"),
    others,
    open.filter((stop) => stop !== next),
  );
  drawSection(find("#done"), done, closed);
  drawSum(closed);
  drawNothing(open.length, all.length);
  drawWaiting(queue.waiting);
  find("#unsaved").hidden = database.isWritable && !queue.hasUnsaved;
  drawRefused(
    queue.entries.filter(({ refused }) => refused),
    (order) => queue.dismiss(order),
  );
  position?.share(open.some(({ status }) => isOnTheRoad(status)));
}

/** @param {Stop[]} closed */
function drawSum(closed) {
  const delivered = closed.filter(({ status }) => status === "delivered");
  const collected = delivered.reduce((sum, { row }) => sum + (row.amount_collected ?? 0), 0);
  const parts = [interpolate(gettext("Delivered: %s, collected %s"), [delivered.length, money(collected)])];
  const failed = closed.length - delivered.length;
  if (failed) parts.push(interpolate(gettext("not delivered: %s"), [failed]));
  fill(find("#done-title"), { count: parts.join(" · ") });
}

/**
 * @param {HTMLElement} section
 * @param {Rows} rows
 * @param {Stop[]} list
 */
function drawSection(section, rows, list) {
  section.hidden = !list.length;
  rows.draw(list);
}

/**
 * @param {number} open
 * @param {number} all
 */
function drawNothing(open, all) {
  const box = find("#nothing");
  box.hidden = open > 0 || stops.loadedAt === null;
  box.textContent = all ? gettext("All stops of today are done.") : gettext("You have no stops today yet.");
}

/** @param {Stop | undefined} stop */
function drawCard(stop) {
  const id = stop ? String(stop.row.id) : undefined;
  if (card?.dataset.id !== id) {
    card = stop ? copyTemplate("stop-card") : null;
    find("#next").replaceChildren(...(card ? [card] : []));
    if (card) card.dataset.id = id;
  }
  if (card && stop) fillCard(card, stop);
}

/** @param {number} id */
function choose(id) {
  chosen = id;
  draw();
  recordPageChange();
  focusNext();
}

/** Moves the focus to the next stop, for screen readers and keyboards. */
function focusNext() {
  /** @type {HTMLElement} */
  const next = card ?? find("#content");
  next.focus({ preventScroll: true });
  window.scrollTo({ top: 0 });
}

// --- what the driver does -----------------------------------------------------------------------------------------

find("#next").addEventListener("click", (/** @type {MouseEvent} */ event) => {
  const pressed = closest(event, "[data-move]");
  if (!pressed || isSecondTap(event)) return;
  recordPageChange();
  const stop = currentStops().find(({ row }) => row.id === Number(card?.dataset.id));
  if (!stop) return;
  if (pressed.dataset.move === "failed") askReason(stop.row.customer_name, (reason) => report(stop, "failed", reason));
  else press(stop, pressed.dataset.move === "back" ? backMove(stop.status)?.to : onwardMove(stop.status)?.to);
});

/**
 * @param {Stop} stop
 * @param {OrderStatus | undefined} to
 */
function press(stop, to) {
  if (to === "delivered") askProof(stop.row, (proof, images) => confirm(stop, proof, images));
  else if (to) report(stop, to).then(showError);
}

/** @param {string} message */
function showError(message) {
  if (message) toasts.show({ message, severity: "error" });
}

for (const dialog of ["#proof", "#failed"]) {
  // If the stop is done, the button that opened the dialog no longer exists. Then the next stop gets the focus.
  find(dialog).addEventListener("close", () => find("#next").contains(document.activeElement) || focusNext());
}

/**
 * Queues a status report. Resolves with an error text, or "" on success.
 * @param {Stop} stop
 * @param {OrderStatus} to
 */
function report({ row }, to, reason = "") {
  // Keeps a started stop as the next one.
  chosen = isOnTheRoad(to) ? row.id : null;
  return enqueue({ kind: "status", order: row.id, number: row.order_number, to, reason });
}

/** @param {Report[]} entries */
async function enqueue(...entries) {
  try {
    await queue.add(...entries);
    return "";
  } catch (error) {
    console.warn("The report was not stored.", error);
    return gettext("This telephone could not save the report. Please free some storage and report again.");
  }
}

/**
 * Queues the report of a delivery and its images. Resolves as `report` does.
 * @param {Stop} stop
 * @param {ProofBody} proof
 * @param {ProofImage[]} images
 */
function confirm({ row }, proof, images) {
  chosen = null;
  const orderFields = { order: row.id, number: row.order_number };
  /** @type {Report[]} */
  const imageReports = images.map(({ image, blob }) => ({ kind: "image", ...orderFields, image, blob }));
  return enqueue(
    { kind: "delivery", ...orderFields, to: "delivered", body: { ...proof, ...recentPosition() } },
    ...imageReports,
  );
}

/** The driver's coordinates if they are recent, else an empty object. */
function recentPosition() {
  const last = position?.last;
  if (!last || now() - last.at >= RECENT_MS) return {};
  const { latitude, longitude } = last.position;
  return { latitude, longitude };
}

// --- the server's responses and events -----------------------------------------------------------------------------------------

queue.on("changed", draw);
announceAllReported(queue);
queue.on("done", ({ entry, data }) => {
  find("#sign-in").hidden = true;
  if (entry.kind === "image") return;
  const collected = entry.kind === "delivery" ? { amount_collected: entry.body.amount_collected } : {};
  stops.change(entry.order, { status: entry.to, version: data.version, ...collected });
});
queue.on("refused", ({ order }) => stops.refetch(order));
queue.on("sign-in", askToSignIn);
queue.on("other-user", leave);

database.on("writable", draw);
stops.on("changed", draw).on("sign-in", askToSignIn).on("other-user", leave);
stops.on("news", ({ type, row }) => {
  const title =
    type === "gone" ? gettext("One of your stops is no longer on today's list") : gettext("You have a new stop");
  toasts.show({
    title,
    message: `${row.customer_name} ${row.delivery_address}`,
    severity: type === "gone" ? "warning" : "info",
  });
});

/**
 * Reloads the page, because another user has signed in or this user is no longer a driver. Deletes the cached page first: over
 * a slow connection the service worker would show the old one again and again.
 */
async function leave() {
  if (isLeaving) return;
  isLeaving = true;
  await deletePage().finally(() => location.reload());
}

function askToSignIn() {
  find("#sign-in").hidden = false;
}

function listen() {
  const socket = new LuckyGasSocket("/api/v1/websocket/ws/driver", { ...stops.end, user, remember: false });
  find("connection-status").socket = toasts.socket = socket;
  socket.on("*", (frame) => {
    if (frame.type.startsWith("order.")) stops.receive(/** @type {OrderFrame} */ (frame));
  });
  socket
    .on("route.updated", () => stops.load())
    .on("resync", () => stops.load())
    .on("unauthenticated", askToSignIn)
    .on("forbidden", leave);
  socket.on("connected", connected);
  socket.on("state", stateChanged);
  position = new Position(socket, driver);
  setInterval(() => showAge(socket.state), AGE_MS);
  draw();
}

/** @param {Connected} frame */
function connected({ recovered, channels }) {
  if (!channels.includes(`user:${user}`)) return leave();
  if (!recovered) stops.load();
  retryNow();
  return queue.send();
}

/** @param {SocketState} state */
function stateChanged(state) {
  position?.showSharing();
  if (state === "polling" || state === "reloading") {
    stops.load();
    queue.send();
  }
  showAge(state);
}

/** @param {SocketState} state */
function showAge(state) {
  drawAge(stops.loadedAt, ["live", "polling", "reloading", "connecting"].includes(state));
}

onSignOut({
  queue,
  deleteData: () => stops.deleteStored(),
  failed: () =>
    showError(
      gettext("You are still signed in, because signing out did not work. Please check the connection and try again."),
    ),
});
onNewDay(() => stops.load());
install();
await stops.restore();
await queue.read();
await stops.load();
listen();
queue.send();
watchPage({ online: () => queue.send(), visible: () => queue.send() });
