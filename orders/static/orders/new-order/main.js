/** A telephone call: who, what, when; placed with Enter. */
import { LuckyGasSocket } from "../../realtime/client.js";
import { get, patch, post } from "../api.js";
import { debounce, fill, find, findAll, money, told } from "../page.js";
import { fieldOf, items, renew, repeat, total } from "./basket.js";
import { Finder, guess, takesSms, wordsOf } from "./customers.js";

const form = find("#order");
const PAUSE_MS = 300;
let customer = null;
/** The name of this call's order: sent again after a lost answer, it makes no second one. */
let ref = null;
/** What the server made of it, while confirming it is still to be done. */
let placed = null;

function warn(texts) {
  find("#warnings").replaceChildren(
    ...texts.filter(Boolean).map((text) => Object.assign(document.createElement("li"), { textContent: text })),
  );
}

/** The form for another caller: nothing of the one before stays in it. */
function open(known) {
  form.reset();
  [ref, placed] = [crypto.randomUUID(), null];
  form.elements.scheduled_date.value = form.elements.scheduled_date.min = today();
  form.hidden = false;
  find("#done").hidden = find("#wrong").hidden = find("#signed-out").hidden = true;
  find("#known").hidden = !known;
  find("#new").hidden = known;
  for (const input of findAll("#new input")) input.disabled = known;
  for (const name of ["name", "address"]) form.elements[name].required = !known;
}

/** The day by Taipei's clock, also on a page that was opened yesterday. */
function today() {
  return new Intl.DateTimeFormat("sv", { timeZone: "Asia/Taipei" }).format(new Date());
}

function take(chosen, orders) {
  customer = chosen;
  open(true);
  fill(find("#known"), chosen);
  repeat(orders?.last?.items ?? []);
  const words = gettext("There is an open order already: %s, %s, for %s.");
  const waiting = (orders?.open ?? []).map((order) => interpolate(words, [order.order_number, wordsOf(order.items), order.scheduled_date]));
  const unread = !orders && gettext("The orders of this customer could not be read: please look at what is ordered.");
  const silent = !takesSms(chosen) && gettext("No SMS reaches this customer: neither a mobile number nor an e-mail address.");
  warn([unread, ...waiting, silent]);
  // With Enter nobody places what nobody has looked at.
  (orders ? find("#confirm") : find("#lines select")).focus();
}

function fresh(typed) {
  customer = null;
  open(false);
  for (const [name, value] of Object.entries(guess(typed))) form.elements[name].value = value;
  repeat([]);
  lookAtPhone();
  findAll("#new input").find(({ value }) => !value)?.focus();
}

/** Whoever has this number may be known already; a landline gets no SMS. */
const lookAtPhone = debounce(PAUSE_MS, async () => {
  const phone = form.elements.phone.value.trim();
  const digits = phone.normalize("NFKC").replace(/\D/g, "").replace(/^(?:00)?8860?/, "0");
  const isLandline = digits.length >= 8 && !digits.startsWith("09");
  const alike = digits.length >= 8 ? await get(`customers/?page_size=3&q=${digits}`).catch(() => null) : null;
  if (customer || phone !== form.elements.phone.value.trim()) return;
  const names = (alike?.results ?? []).map(({ name }) => name).join(", ");
  warn([
    names && interpolate(gettext("This number is known already: %s."), [names]),
    isLandline && gettext("A landline gets no SMS."),
  ]);
});

function orderOf() {
  const { scheduled_date, time_slot, notes, urgent, phone, name, address } = form.elements;
  const who = customer
    ? { customer: customer.id }
    : { new_customer: { name: name.value, address: address.value, ...(phone.value && { phone: phone.value }) } };
  return {
    ...who, ref, items: items(), scheduled_date: scheduled_date.value, time_slot: time_slot.value, notes: notes.value,
    priority: urgent.checked ? "urgent" : "normal",
  };
}

function startAgain() {
  const made = placed;
  [customer, placed] = [null, null];
  form.hidden = true;
  warn([]);
  finder.clear();
  if (made) say(gettext("Order %s is placed, and not confirmed yet."), made);
}

function say(text, order) {
  const link = Object.assign(document.createElement("a"), { href: `/?order=${order.id}`, textContent: gettext("Open") });
  find("#done").replaceChildren(interpolate(text, [order.order_number]), " ", link);
  find("#done").hidden = false;
}

/** In the two languages of people: what is wrong, and with which field. */
function refuse(error) {
  const offline = gettext("The site does not answer. Try again: nothing is ordered twice.");
  find("#wrong").textContent = error.code === "offline" ? offline : error.message;
  find("#wrong").hidden = false;
  find("#signed-out").hidden = error.status !== 401;
  // `scheduled_date`, `new_customer.phone`, `items.1.quantity`.
  const paths = (error.errors ?? []).map(({ attr }) => attr?.split(".") ?? []);
  const fields = paths.map(([name, inner, ofItem]) => (ofItem ? fieldOf(inner, ofItem) : form.elements[inner ?? name]));
  fields.find(Boolean)?.focus();
}

async function place(status) {
  const order = orderOf();
  const made = await post("orders/", order);
  placed = made;
  if (status === "confirmed" && made.status === "pending")
    await patch(`orders/${made.id}/status/`, { status, version: made.version, ref: `${ref}:1` });
  placed = null;
  const words = status === "confirmed" ? gettext("Order %s is placed and confirmed.") : gettext("Order %s is placed.");
  const isDearer = made.amount_due !== total() && gettext("The price has changed meanwhile: %s.");
  startAgain();
  say(isDearer ? `${words} ${interpolate(isDearer, [money(made.amount_due)])}` : words, made);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const buttons = findAll("button[type=submit]", form);
  for (const button of buttons) button.disabled = true;
  try {
    await place(event.submitter?.value ?? "confirmed");
  } catch (error) {
    refuse(error);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
});
form.elements.phone.addEventListener("input", lookAtPhone);
addEventListener("keydown", (event) => event.key === "Escape" && startAgain());
const finder = new Finder({ take, fresh });

const socket = new LuckyGasSocket("/api/v1/websocket/ws/office", { user: told().user, remember: false });
find("connection-status").socket = socket;
find("notification-toasts").socket = socket;
const renewSoon = debounce(PAUSE_MS, () => renew().catch(() => null));
socket.on("inventory.updated", renewSoon).on("resync", renewSoon);
