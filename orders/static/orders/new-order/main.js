/** A telephone call: who, what, when; placed with Enter. */
import { get, patch, post } from "../api.js";
import { debounce, fill, find, findAll } from "../page.js";
import { items, repeat } from "./basket.js";
import { Finder, guess, openOrder, takesSms, wordsOf } from "./customers.js";

const form = find("#order");
const PAUSE_MS = 300;
let customer = null;
/** The name of this call's order: sent again after a lost answer, it makes no second one. */
let ref = crypto.randomUUID();

function warn(texts) {
  find("#warnings").replaceChildren(
    ...texts.filter(Boolean).map((text) => Object.assign(document.createElement("li"), { textContent: text })),
  );
}

function open(known) {
  form.hidden = false;
  find("#done").hidden = find("#wrong").hidden = true;
  find("#known").hidden = !known;
  find("#new").hidden = known;
  for (const input of findAll("#new input")) input.disabled = known;
  for (const name of ["name", "address"]) form.elements[name].required = !known;
}

function take(chosen, last) {
  customer = chosen;
  open(true);
  fill(find("#known"), chosen);
  repeat(last?.items ?? []);
  const waiting = openOrder(last) && gettext("There is an open order already: %s, %s, for %s.");
  const silent = !takesSms(chosen) && gettext("No SMS reaches this customer: neither a mobile number nor an e-mail address.");
  warn([waiting && interpolate(waiting, [last.order_number, wordsOf(last.items), last.scheduled_date]), silent]);
  find("#confirm").focus();
}

function fresh(typed) {
  customer = null;
  open(false);
  for (const input of findAll("#new input")) input.value = "";
  for (const [name, value] of Object.entries(guess(typed))) form.elements[name].value = value;
  repeat([]);
  lookAtPhone();
  findAll("#new input").find(({ value }) => !value)?.focus();
}

/** Whoever has this number may be known already; a landline gets no SMS. */
const lookAtPhone = debounce(PAUSE_MS, async () => {
  const phone = form.elements.phone.value.trim();
  const digits = phone.replace(/\D/g, "").replace(/^886/, "0");
  const isLandline = digits.length >= 8 && !digits.startsWith("09");
  const alike = digits.length >= 8 ? await get(`customers/?page_size=3&q=${digits}`).catch(() => null) : null;
  if (customer || phone !== form.elements.phone.value.trim()) return;
  const names = (alike?.results ?? []).map(({ name }) => name).join(", ");
  warn([
    names && interpolate(gettext("This number is known already: %s."), [names]),
    isLandline && gettext("A landline gets no SMS."),
  ]);
});

function order() {
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
  [customer, ref] = [null, crypto.randomUUID()];
  form.reset();
  form.hidden = true;
  warn([]);
  finder.clear();
}

/** In the two languages of people: what is wrong, and with which field. */
function refuse(error) {
  const offline = gettext("The site does not answer. Try again: nothing is ordered twice.");
  find("#wrong").textContent = error.code === "offline" ? offline : error.message;
  find("#wrong").hidden = false;
  const attr = (error.errors ?? []).map(({ attr }) => attr?.split(".").at(-1)).find((name) => form.elements[name]);
  if (attr) form.elements[attr].focus();
}

async function place(status) {
  const placed = await post("orders/", order());
  if (status === "confirmed" && placed.status === "pending")
    await patch(`orders/${placed.id}/status/`, { status, version: placed.version, ref: `${ref}:1` });
  const told = status === "confirmed" ? gettext("Order %s is placed and confirmed.") : gettext("Order %s is placed.");
  startAgain();
  const link = Object.assign(document.createElement("a"), { href: `/?order=${placed.id}`, textContent: gettext("Open") });
  find("#done").replaceChildren(interpolate(told, [placed.order_number]), " ", link);
  find("#done").hidden = false;
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
