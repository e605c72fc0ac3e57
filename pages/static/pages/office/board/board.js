/** The dispatch board: creates its parts and connects them. */
import { closest, find, findAll, pageData } from "../../../web/page.js";
import { onNewDay } from "../../../web/server-clock.js";
import { Actions } from "./actions.js";
import { Columns } from "./columns.js";
import { Dragging } from "./drag.js";
import { Drawer } from "./drawer.js";
import { Filters } from "./filters.js";
import { Fleet } from "./fleet.js";
import { useKeys } from "./keys.js";
import { Live } from "./live.js";
import { MapPanel } from "./map-panel.js";
import { MoveDialog } from "./move-dialog.js";
import { Moves } from "./moves.js";
import { News } from "./news.js";
import { Painter } from "./painter.js";
import { Search } from "./search.js";
import { Store } from "./store.js";

/** How often the ages on the cards are drawn again. */
const AGES_MS = 30_000;
const { labels, moves: table } = pageData();
const root = find("#board");
/** @type {any} */
const form = find("#filters");
const toasts = find("notification-toasts");

const painter = new Painter(draw, finishFrame);
const store = new Store(painter.add);
const filters = new Filters(form);
const fleet = new Fleet(root, store, filters);
const moves = new Moves(table, fleet.drivers, fleet.routes);
const columns = new Columns(root, {
  store,
  shows: filters.shows,
  texts: { labels, driverName: fleet.driverName, isFinal: moves.isFinal },
});
const map = new MapPanel({ store, fleet, shows: filters.shows, onOpen: (id) => drawer.open(id) });
const actions = new Actions(store, toasts, { card: columns.card, onOutdated: () => live.readFleet() });
const drawer = new Drawer(find("#drawer"), {
  labels,
  isFinal: moves.isFinal,
  onRead: store.read.bind(store),
  onError: showReadError,
});
const dialog = new MoveDialog(find("#move"), {
  names: nameOf,
  onSubmit: (order, changes) => actions.change(order, changes),
});
const live = new Live({
  store,
  fleet,
  filters,
  news: new News(toasts, store),
  changed: {
    fleet: () => {
      finishFrame(false);
      offerDrivers();
    },
    positions: (ids) => {
      for (const id of ids) map.drawDriver(id);
    },
    order: (id) => drawer.changed(id),
    all: () => {
      drawer.refresh();
      search.repeat(form.elements.q.value);
    },
  },
  wanted: () => [drawer.id, drawer.shown, ...(filters.found ?? [])],
});
const search = new Search((rows) => {
  filters.found = rows && new Set(rows.map(({ id }) => id));
  if (rows) live.take(rows);
  drawAll();
});

function draw(id) {
  columns.draw(id);
  map.draw(id);
}

function finishFrame(isDone) {
  columns.update();
  fleet.draw();
  offerAreas();
  if (isDone) map.fitOnce();
}

function drawAll() {
  for (const { id } of store) painter.add(id);
}

function nameOf(key) {
  const [kind, id] = key.split(":");
  if (kind === "status") return labels.status[id];
  return kind === "driver" ? fleet.driverName(Number(id)) : fleet.routeName(Number(id));
}

/** After an error that is not from our server, the message is empty. */
function showReadError({ message }) {
  const why = message || gettext("The site does not respond. Please check the connection and try again.");
  toasts.show({ title: gettext("This order could not be opened."), message: why, severity: "error" });
}

function openMove(id) {
  const order = store.get(id);
  dialog.open(order, moves.targets(order));
}

/** Changes the order. If the move needs a driver or a reason, first opens the dialog to ask for it. */
function handleDrop(order, target) {
  if (target.needsReason) dialog.open(order, [target]);
  else if (target.needsDriver)
    dialog.open(
      order,
      moves.targets(order).filter(({ key }) => key.startsWith("driver:")),
    );
  else actions.change(order, target.changes);
}

// --- filters ------------------------------------------------------------------------------------------------------

function offer(name, values) {
  const select = form.elements[name];
  const known = new Map([...select.options].map((option) => [option.value, option]));
  for (const [value, label] of values) {
    if (known.has(value)) known.get(value).text = label;
    else select.add(new Option(label, value));
  }
}

function offerDrivers() {
  offer(
    "driver",
    [...fleet.drivers.values()].map(({ id, name }) => [String(id), name]),
  );
}

function offerAreas() {
  const areas = new Set();
  for (const { area } of store) if (area) areas.add(area);
  offer(
    "area",
    [...areas].map((area) => [area, area]),
  );
}

form.addEventListener("change", ({ target }) => {
  if (target.name === "q") return;
  filters.read();
  if (target.name === "day" || target.name === "date") live.dayChanged();
  map.refit();
  drawAll();
  fleet.draw();
});
form.elements.q.addEventListener("input", ({ target }) => {
  filters.read();
  search.typed(target.value);
});
form.addEventListener("submit", (event) => event.preventDefault());

// --- clicks -------------------------------------------------------------------------------------------------------

const CLICKS = {
  move: (id) => openMove(id),
  today: (id) => actions.change(store.get(id), moves.newAttempt(0)),
  tomorrow: (id) => actions.change(store.get(id), moves.newAttempt(1)),
};

document.addEventListener("click", (event) => {
  const card = closest(event, ".order");
  const doing = closest(event, "[data-do]")?.dataset.do;
  const id = card ? Number(card.dataset.id) : drawer.shown;
  if (CLICKS[doing] && id) CLICKS[doing](id);
  else if (card && !event.ctrlKey && !event.metaKey) drawer.open(id);
  else return;
  event.preventDefault();
});

/** Opens a toast's order in the drawer instead of a new page. */
toasts.addEventListener("click", (event) => {
  const link = closest(event, "a");
  if (!link) return;
  event.preventDefault();
  drawer.open(Number(new URL(link.href).searchParams.get("order")));
});

root.addEventListener("click", (event) => {
  /** @type {HTMLElement | undefined} */
  const row = closest(event, "[data-choose-driver]")?.closest("[data-target]");
  const chosen = row?.dataset.target.split(":")[1];
  if (chosen) filters.set("driver", form.elements.driver.value === chosen ? "" : chosen);
});

for (const column of findAll(".column.closed", root)) {
  const button = find("button", column);
  button.addEventListener("click", () => {
    button.setAttribute("aria-expanded", String(column.classList.toggle("unfolded")));
  });
}

/** Updates the form's return URL: filters and the drawer have changed the page's URL since the server rendered the form. */
const language = find("form.language");
language.addEventListener("submit", () => {
  /** @type {HTMLInputElement} */
  const next = find("[name=next]", language);
  next.value = location.pathname + location.search;
});

// --- start --------------------------------------------------------------------------------------------------------

new Dragging(root, { store, moves, onDrop: handleDrop });
useKeys(root, { search: form.elements.q, move: openMove });
setInterval(drawAll, AGES_MS);
onNewDay(() => {
  live.dayChanged();
  drawAll();
  fleet.draw();
});

const socket = await live.start();
find("connection-status").socket = socket;
toasts.socket = socket;
root.dataset.ready = "";
const requestedId = Number(new URLSearchParams(location.search).get("order"));
if (requestedId) drawer.open(requestedId);
// Safari has no requestIdleCallback.
const whenIdle = window.requestIdleCallback ?? setTimeout;
whenIdle(() => map.open(find("#map")).then(drawAll));
