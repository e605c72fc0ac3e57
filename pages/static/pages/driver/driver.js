/** The driver's page: what the server said of the stops, with what it does not know yet drawn on top. */
import { copyOf, fill, find, money, told } from "../../web/page.js";
import { hurry } from "../../web/retry.js";
import { follow, now, onNewDay } from "../../web/server-clock.js";
import { LuckyGasSocket } from "../../realtime/client.js";
import "../../realtime/elements.js";
import { tellTheEnd } from "./all-reported.js";
import { askWhy } from "./failed.js";
import { forgetPage, install, onSignOut } from "./home-screen.js";
import { back, onward } from "./moves.js";
import { drawAge, drawRefused, drawWaiting } from "./notices.js";
import { Position } from "./position.js";
import { askProof } from "./proof.js";
import { Queue } from "./queue.js";
import { Stops } from "./stops.js";
import { Store } from "./store.js";
import { isSecondTap, tapped } from "./taps.js";
import { fillCard, Rows } from "./view.js";

const { user, driver } = told();
const ON_THE_ROAD = ["delivering", "arriving"];
const OPEN = ["assigned", ...ON_THE_ROAD];
/** A position as old as this says nothing of a delivery. */
const RECENT_MS = 120_000;
const AGE_MS = 30_000;

const store = new Store(user);
const stops = new Stops(store, driver);
const queue = new Queue(store, { user, driver });
const others = new Rows(find("#others"), "stop-row", choose);
const done = new Rows(find("#done"), "done-row");
const toasts = find("notification-toasts");
let card = null;
let chosen = null;
let socket = null;
let position = null;
let isLeaving = false;

/** Each stop as the driver sees it: with the status that the newest waiting report will give it. */
function seen() {
  const numbers = numbersOf(stops.list);
  return stops.list.map((row) => {
    const waiting = queue.waiting.filter(({ order }) => order === row.id);
    const to = waiting.findLast((entry) => entry.to)?.to;
    return { row, status: to ?? row.status, isPending: waiting.length > 0, number: numbers.get(row.id) };
  });
}

/** As on the route; what is on none, or stands there twice, comes behind. */
function numbersOf(rows) {
  const taken = new Map();
  for (const { id, stop_sequence: own } of rows) if (own !== null && !taken.has(own)) taken.set(own, id);
  let last = Math.max(0, ...taken.keys());
  const numbers = new Map([...taken].map(([number, id]) => [id, number]));
  for (const { id } of rows) if (!numbers.has(id)) numbers.set(id, ++last);
  return numbers;
}

/** Where the driver arrives, else what is on the road, else what comes first; unless another was chosen. */
function nextOf(open) {
  const rank = ({ status }) => OPEN.length - OPEN.indexOf(status);
  return open.find(({ row }) => row.id === chosen) ?? [...open].sort((a, b) => rank(a) - rank(b))[0];
}

function draw() {
  const all = seen();
  const open = all.filter(({ status }) => OPEN.includes(status));
  const closed = all.filter(({ status }) => !OPEN.includes(status));
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
  find("#unkept").hidden = store.isKeeping && !queue.isUnkept;
  drawRefused(
    queue.entries.filter(({ refused }) => refused),
    (order) => queue.putAway(order),
  );
  position?.share(open.some(({ status }) => ON_THE_ROAD.includes(status)));
}

function drawSum(closed) {
  const delivered = closed.filter(({ status }) => status === "delivered");
  const collected = delivered.reduce((sum, { row }) => sum + (row.amount_collected ?? 0), 0);
  const words = [interpolate(gettext("Done: %s, collected %s"), [delivered.length, money(collected)])];
  const failed = closed.length - delivered.length;
  if (failed) words.push(interpolate(gettext("not delivered: %s"), [failed]));
  fill(find("#done-title"), { count: words.join(" · ") });
}

function drawSection(section, rows, list) {
  section.hidden = !list.length;
  rows.draw(list);
}

function drawNothing(open, all) {
  const box = find("#nothing");
  box.hidden = open > 0 || stops.loadedAt === null;
  box.textContent = all ? gettext("All stops of today are done.") : gettext("There is no stop for you today yet.");
}

function drawCard(stop) {
  const id = stop ? String(stop.row.id) : undefined;
  if (card?.dataset.id !== id) {
    card = stop ? copyOf("stop-card") : null;
    find("#next").replaceChildren(...(card ? [card] : []));
    if (card) card.dataset.id = id;
  }
  if (stop) fillCard(card, stop);
}

function choose(id) {
  chosen = id;
  draw();
  tapped();
  lead();
}

/** To what comes next: there whoever hears the page, or uses keys, goes on. */
function lead() {
  (card ?? find("#content")).focus({ preventScroll: true });
  window.scrollTo({ top: 0 });
}

// --- what the driver does -----------------------------------------------------------------------------------------

find("#next").addEventListener("click", (event) => {
  const pressed = event.target.closest("[data-move]");
  if (!pressed || isSecondTap(event)) return;
  tapped();
  const stop = seen().find(({ row }) => row.id === Number(card.dataset.id));
  if (pressed.dataset.move === "failed") askWhy(stop.row.customer_name, (reason) => report(stop, "failed", reason));
  else if (pressed.dataset.move === "back") report(stop, back(stop.status).to).then(show);
  else press(stop, onward(stop.status).to);
});

function press(stop, to) {
  if (to === "delivered") askProof(stop.row, (proof, images) => confirm(stop, proof, images));
  else report(stop, to).then(show);
}

function show(message) {
  if (message) toasts.show({ message, severity: "error" });
}

for (const dialog of ["#proof", "#failed"]) {
  // What opened it is gone with the stop that is done.
  find(dialog).addEventListener("close", () => find("#next").contains(document.activeElement) || lead());
}

/** Like `confirm` it promises what is wrong: "" once it is kept. */
function report({ row }, to, reason = "") {
  // Whoever begins a stop goes on with it.
  chosen = ON_THE_ROAD.includes(to) ? row.id : null;
  return keep({ kind: "status", order: row.id, number: row.order_number, to, reason });
}

async function keep(...entries) {
  try {
    await queue.add(...entries);
    return "";
  } catch (error) {
    console.warn("Nothing was kept.", error);
    return gettext("This telephone could not keep it: nothing was reported. Is its memory full?");
  }
}

function confirm({ row }, proof, images) {
  chosen = null;
  const named = { order: row.id, number: row.order_number };
  const { last } = position ?? {};
  const where = last && now() - last.at < RECENT_MS ? last.position : {};
  const body = { ...proof, ...pick(where, "latitude", "longitude") };
  const sent = images.map(({ image, blob }) => ({ kind: "image", ...named, image, blob }));
  return keep({ kind: "delivery", ...named, to: "delivered", body }, ...sent);
}

function pick(object, ...names) {
  return Object.fromEntries(names.filter((name) => name in object).map((name) => [name, object[name]]));
}

// --- what the server says -----------------------------------------------------------------------------------------

queue.on("changed", draw);
tellTheEnd(queue);
queue.on("done", ({ entry, data }) => {
  find("#sign-in").hidden = true;
  if (entry.kind === "image") return;
  const collected = entry.kind === "delivery" ? { amount_collected: entry.body.amount_collected } : {};
  stops.change(entry.order, { status: entry.to, version: data.version, ...collected });
});
queue.on("refused", ({ order }) => stops.ask(order));
queue.on("sign-in", askToSignIn);
queue.on("stranger", leave);

store.on("keeping", draw);
stops.on("changed", draw).on("sign-in", askToSignIn).on("stranger", leave);
stops.on("news", ({ type, row }) => {
  const title = type === "gone" ? gettext("A stop was taken from you") : gettext("A new stop for you");
  toasts.show({
    title,
    message: `${row.customer_name} ${row.delivery_address}`,
    severity: type === "gone" ? "warning" : "info",
  });
});

/**
 * Another driver is signed in by now: this page is not theirs, and what waits is not theirs to send. Nor is the page that
 * lies here: over a slow line it would come again and again.
 */
async function leave() {
  if (isLeaving) return;
  isLeaving = true;
  await forgetPage().finally(() => location.reload());
}

function askToSignIn() {
  find("#sign-in").hidden = false;
}

function listen() {
  socket = new LuckyGasSocket("/api/v1/websocket/ws/driver", { ...stops.end, user, remember: false });
  find("connection-status").socket = toasts.socket = socket;
  socket.on("*", (frame) => frame.type.startsWith("order.") && stops.take(frame));
  socket
    .on("route.updated", () => stops.load())
    .on("resync", () => stops.load())
    .on("unauthenticated", askToSignIn)
    .on("forbidden", leave);
  socket.on("connected", welcomed);
  socket.on("state", stateChanged);
  follow(socket);
  position = new Position(socket, driver);
  draw();
}

function welcomed({ recovered, channels }) {
  if (!channels.includes(`user:${user}`)) return leave();
  if (!recovered) stops.load();
  hurry();
  return queue.send();
}

function stateChanged(state) {
  position?.lineChanged();
  if (state === "polling" || state === "reloading") {
    stops.load();
    queue.send();
  }
  showAge();
}

function showAge() {
  drawAge(stops.loadedAt, ["live", "polling", "reloading", "connecting"].includes(socket.state));
}

onSignOut({
  queue,
  forget: () => stops.forget(),
  failed: () =>
    show(gettext("You are still signed in: signing out needs a line. Please try again where there is one.")),
});
onNewDay(() => stops.load());
install();
await stops.recall();
await queue.read();
await stops.load();
listen();
queue.send();
for (const name of ["online", "pageshow"]) window.addEventListener(name, () => queue.send());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && queue.send());
setInterval(showAge, AGE_MS);
