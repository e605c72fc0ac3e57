/** The one box: whoever calls is found by any part of telephone, name or address, with the last order beside. */
import { get } from "../api.js";
import { copyOf, debounce, fill, find } from "../page.js";

const PAUSE_MS = 120;
const MOST = 7;
/** A mobile number begins so; nothing else gets an SMS. */
const MOBILE = "09";

/** The customer's last order that was not cancelled; null where there is none. */
export async function lastOrder(customer) {
  const { results } = await get(`orders/?customer=${customer}&ordering=-id&page_size=5`);
  return results.find(({ status }) => status !== "cancelled") ?? null;
}

export const openOrder = (order) => order !== null && !["delivered", "cancelled"].includes(order.status);
export const takesSms = ({ phone, phone2, email }) => Boolean(email) || [phone, phone2].some((n) => n?.startsWith(MOBILE));

export function wordsOf(items) {
  return items.map(({ name, quantity }) => `${name} × ${quantity}`).join(", ");
}

/** What was typed for somebody who is not known, put where it most likely belongs. */
export function guess(text) {
  const typed = text.trim();
  if (/^[\d\s()+#-]+$/.test(typed)) return { phone: typed };
  return /[路街巷弄號段]/.test(typed) ? { address: typed } : { name: typed };
}

/** A combobox over the API. `take(customer, last)`: somebody known was chosen; `fresh(typed)`: somebody new. */
export class Finder {
  #box = find("#who");
  #list = find("#found");
  #take;
  #fresh;
  #options = [];
  #at = 0;
  #asked = 0;

  constructor({ take, fresh }) {
    [this.#take, this.#fresh] = [take, fresh];
    this.#box.addEventListener("input", debounce(PAUSE_MS, () => this.#ask()));
    this.#box.addEventListener("keydown", (event) => this.#key(event));
    this.#list.addEventListener("mousedown", (event) => this.#press(event));
  }

  clear() {
    this.#asked += 1;
    this.#box.value = "";
    this.#show([]);
    this.#box.focus();
  }

  async #ask() {
    const text = this.#box.value.trim();
    const asked = (this.#asked += 1);
    if (text.length < 2) return this.#show([]);
    const found = await get(`customers/?is_active=true&page_size=${MOST}&q=${encodeURIComponent(text)}`).catch(() => null);
    // An answer that comes after the next question is none.
    if (asked !== this.#asked) return;
    const known = (found?.results ?? []).map((customer) => ({ customer, last: lastOrder(customer.id).catch(() => null) }));
    this.#show([...known, { typed: text }]);
  }

  #show(options) {
    [this.#options, this.#at] = [options, 0];
    this.#list.replaceChildren(...options.map((option, index) => this.#draw(option, index)));
    this.#list.hidden = !options.length;
    this.#box.setAttribute("aria-expanded", String(Boolean(options.length)));
    this.#mark();
  }

  #draw({ customer, last, typed }, index) {
    const row = copyOf("option");
    row.id = `found-${index}`;
    if (typed) return fill(row, { name: gettext("New customer"), phone: typed });
    last.then((order) => order && fill(row, { last: wordsOf(order.items) }));
    return fill(row, customer);
  }

  #mark() {
    [...this.#list.children].forEach((row, index) => row.setAttribute("aria-selected", String(index === this.#at)));
    const marked = this.#list.children[this.#at];
    if (marked) this.#box.setAttribute("aria-activedescendant", marked.id);
    else this.#box.removeAttribute("aria-activedescendant");
  }

  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.#options.length) {
      this.#at = (this.#at + step + this.#options.length) % this.#options.length;
      this.#mark();
    } else if (event.key === "Enter" && this.#options.length) this.#choose(this.#at);
    else return;
    event.preventDefault();
  }

  #press(event) {
    const row = event.target.closest("[role=option]");
    event.preventDefault();
    if (row) this.#choose([...this.#list.children].indexOf(row));
  }

  async #choose(index) {
    const { customer, last, typed } = this.#options[index];
    this.#show([]);
    if (typed) this.#fresh(typed);
    else this.#take(customer, await last);
  }
}
