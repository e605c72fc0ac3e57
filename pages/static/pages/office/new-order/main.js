/** The form for an order by telephone: customer, products, date. Enter places the order. */
import { LuckyGasSocket } from "../../../realtime/client.js";
import { newRef } from "../../../realtime/ref.js";
import { get, patch, post } from "../../../web/api.js";
import { money } from "../../../web/money.js";
import { debounce, fill, find, findAll, pageData } from "../../../web/page.js";
import { Refetcher, retry, retryNow } from "../../../web/retry.js";
import { onNewDay, today } from "../../../web/server-clock.js";
import { dialledDigits, isMobile, phoneText } from "../../../web/telephone.js";
import { fieldOf, fillBasket, items, reloadPrices, total } from "./basket.js";
import { Finder, getsMessages, guess, itemsText, ordersOf } from "./customers.js";

/** @type {any} */
const form = find("#order");
const PAUSE_MS = 300;
let customer = null;
/** The `ref` of this order. It makes a retry after a lost response idempotent. */
let ref = null;
/** The server's warnings, except those that the page shows itself (OWN_WARNINGS). */
let otherWarnings = [];
/** The customer's orders, once loaded. */
let ordersRead = null;
const OWN_WARNINGS = ["open_order", "no_message"];
/** The placed order, until it is confirmed. */
let placed = null;

/** Shows warnings; each is a text, or a list of texts and elements. */
function warn(warnings) {
  const rows = warnings.filter(Boolean).map((parts) => {
    const row = document.createElement("li");
    row.append(...[parts].flat());
    return row;
  });
  find("#warnings").replaceChildren(...rows);
}

/** @returns {HTMLInputElement[]} */
const newInputs = () => findAll("#new input");

/** Clears and shows the form for another caller. `known`: whether the customer is in the database. */
function open(known) {
  form.reset();
  [ref, placed] = [newRef(), null];
  offerToday();
  askForTick(null);
  form.hidden = false;
  find("#done").hidden = find("#wrong").hidden = find("#signed-out").hidden = true;
  find("#known").hidden = !known;
  find("#new").hidden = known;
  for (const input of newInputs()) input.disabled = known;
  for (const name of ["name", "address"]) form.elements[name].required = !known;
}

function offerToday() {
  const { scheduled_date: field } = form.elements;
  field.value = field.min = today();
}

/** After midnight: if today was chosen, chooses the new day. */
function handleNewDay() {
  const { scheduled_date: field } = form.elements;
  if (field.value === field.min) offerToday();
  else field.min = today();
}

/**
 * Requires a tick before the order is placed, because clerks press Enter by habit. `why`: `open` if the customer has an open
 * order, `unread` if their orders are not loaded yet, null if no tick is needed.
 */
function askForTick(why) {
  const { another } = form.elements;
  const row = find("#another");
  if (!why && document.activeElement === another) find("#lines select").focus();
  // A tick for one reason is not valid for the other.
  if (row.dataset.why !== String(why)) another.checked = false;
  row.dataset.why = why;
  row.hidden = !why;
  another.required = Boolean(why);
  for (const text of findAll("[data-for]", row)) text.hidden = text.dataset.for !== why;
}

/** Opens the form for a known customer. `orders` is null if not loaded yet; the promise `later` then resolves with them or null. */
function take(chosen, orders, later) {
  [customer, otherWarnings, ordersRead] = [chosen, [], orders];
  open(true);
  fill(find("#known"), chosen);
  fillBasket(orders?.last?.items ?? []);
  showWarnings(chosen, orders);
  readNumbers(chosen);
  readWarnings(chosen);
  if (!orders) readOrders(chosen, later);
  // Without the orders the button gets no focus, because Enter must not place an order that nobody has checked.
  if (!orders) find("#lines select").focus();
  else (orders.open.length ? form.elements.another : find("#confirm")).focus();
}

function showWarnings(chosen, orders) {
  const unread = !orders && gettext("This customer's orders could not be loaded yet. Please check what is ordered.");
  const silent =
    !getsMessages(chosen) &&
    gettext("This customer has no mobile number and no e-mail, so we cannot send messages. Please ask for one.");
  warn([unread, ...(orders?.open ?? []).map(openWarning), silent, ...otherWarnings]);
  if (!orders) askForTick("unread");
  else askForTick(orders.open.length ? "open" : null);
}

/** The order number links to the order in a new tab, because the clerk needs this page for the call. */
function openWarning({ id, order_number: number, items: ordered, scheduled_date: day }) {
  const text = interpolate(gettext("There is already an open order: %s, %s, for %s."), ["\0", itemsText(ordered), day]);
  const link = Object.assign(document.createElement("a"), {
    href: `/?order=${id}`,
    target: "_blank",
    textContent: number,
  });
  const [before, after] = text.split("\0");
  return [before, link, after];
}

const isChosen = (chosen) => customer?.id === chosen.id;

/** Loads the full phone numbers, which lists mask. The clerk reads them back to the caller. */
async function readNumbers(chosen) {
  const { phone, phone2 } = await retry(() => (isChosen(chosen) ? get(`customers/${chosen.id}/`) : chosen));
  if (isChosen(chosen)) fill(find("#known"), { phone: [phone, phone2].filter(Boolean).map(phoneText).join(" · ") });
}

/** Loads the orders of a customer who was chosen before the orders were loaded. */
async function readOrders(chosen, later) {
  const orders = (await later) ?? (await retry(() => (isChosen(chosen) ? ordersOf(chosen) : null)));
  if (!orders || !isChosen(chosen)) return;
  ordersRead = orders;
  showWarnings(chosen, orders);
}

async function readWarnings(chosen) {
  const found = await retry(() => (isChosen(chosen) ? get(`orders/warnings/?customer=${chosen.id}`) : []));
  if (!isChosen(chosen)) return;
  otherWarnings = found.filter(({ code }) => !OWN_WARNINGS.includes(code)).map(({ detail }) => detail);
  if (otherWarnings.length) showWarnings(chosen, ordersRead);
}

function takeNew(typed) {
  customer = null;
  open(false);
  for (const [name, value] of Object.entries(guess(typed))) form.elements[name].value = value;
  fillBasket([]);
  checkPhoneSoon();
  newInputs()
    .find(({ value }) => !value)
    ?.focus();
}

/** Warns if a customer already has this number, or if it cannot receive SMS. */
const phoneCheck = new Refetcher(async () => {
  const phone = form.elements.phone.value.trim();
  const digits = dialledDigits(phone);
  const found = digits && !customer ? await get(`customers/?page_size=3&q=${digits}`) : null;
  if (customer || phone !== form.elements.phone.value.trim()) return;
  const names = (found?.results ?? []).map(({ name }) => name).join(", ");
  warn([
    names && interpolate(gettext("A customer already has this number: %s."), [names]),
    digits && !isMobile(digits) && gettext("SMS can only be sent to mobile numbers of Taiwan (09…)."),
  ]);
});
const checkPhoneSoon = debounce(PAUSE_MS, () => phoneCheck.add("phone"));

function orderOf() {
  const { scheduled_date, time_slot, notes, urgent, phone, name, address } = form.elements;
  const who = customer
    ? { customer: customer.id }
    : { new_customer: { name: name.value, address: address.value, ...(phone.value && { phone: phone.value }) } };
  return {
    ...who,
    ref,
    items: items(),
    scheduled_date: scheduled_date.value,
    time_slot: time_slot.value,
    notes: notes.value,
    priority: urgent.checked ? "urgent" : "normal",
  };
}

function startAgain() {
  const order = placed;
  [customer, placed] = [null, null];
  form.hidden = true;
  warn([]);
  fill(find("#known"), { name: "", phone: "", address: "", notes: "" });
  finder.clear();
  if (order) showDone(gettext("Order %s was placed but is not confirmed yet."), order);
}

function showDone(text, order) {
  const link = Object.assign(document.createElement("a"), {
    href: `/?order=${order.id}`,
    textContent: gettext("Open"),
  });
  find("#done").replaceChildren(interpolate(text, [order.order_number]), " ", link);
  find("#done").hidden = false;
}

/** Shows what is wrong, and moves the focus to the field. */
function showError(error) {
  // After an error that is not from our server, the message is empty.
  const silent = gettext("The site does not respond. Please try again. The order will not be placed twice.");
  find("#wrong").textContent = error.message || silent;
  find("#wrong").hidden = false;
  find("#signed-out").hidden = error.status !== 401;
  // `attr` is for example `scheduled_date`, `new_customer.phone` or `items.1.quantity`.
  const paths = (error.errors ?? []).map(({ attr }) => attr?.split(".") ?? []);
  const fields = paths.map(([name, inner, ofItem]) => (ofItem ? fieldOf(inner, ofItem) : form.elements[inner ?? name]));
  fields.find(Boolean)?.focus();
}

async function place(status) {
  const order = await post("orders/", orderOf());
  placed = order;
  if (status === "confirmed" && order.status === "pending")
    await patch(`orders/${order.id}/status/`, { status, version: order.version, ref: `${ref}:1` });
  placed = null;
  const text = status === "confirmed" ? gettext("Order %s was placed and confirmed.") : gettext("Order %s was placed.");
  const isDearer = order.amount_due !== total() && gettext("The total has changed: %s.");
  startAgain();
  showDone(isDearer ? `${text} ${interpolate(isDearer, [money(order.amount_due)])}` : text, order);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  /** @type {HTMLButtonElement[]} */
  const buttons = findAll("button[type=submit]", form);
  for (const button of buttons) button.disabled = true;
  try {
    await place(event.submitter?.value ?? "confirmed");
  } catch (error) {
    showError(error);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
});
form.elements.phone.addEventListener("input", checkPhoneSoon);
onNewDay(handleNewDay);
addEventListener("keydown", (event) => event.key === "Escape" && startAgain());
const finder = new Finder({ take, takeNew });

const socket = new LuckyGasSocket("/api/v1/websocket/ws/office", { user: pageData().user, remember: false });
find("connection-status").socket = socket;
find("notification-toasts").socket = socket;
const prices = new Refetcher(reloadPrices);
const reloadPricesSoon = debounce(PAUSE_MS, () => prices.add("prices"));
socket.on("connected", retryNow).on("inventory.updated", reloadPricesSoon).on("resync", reloadPricesSoon);
