/** The search box for customers, by any part of phone number, name or address. Shows each with their last order. */
import { ApiError, get } from "../../../web/api.js";
import { copyTemplate, debounce, fill, find } from "../../../web/page.js";
import { isOpen } from "../../../web/statuses.js";
import { isMobile, isPhoneNumber } from "../../../web/telephone.js";

const PAUSE_MS = 120;
/** How many customers a search shows at most. */
const MAX_RESULTS = 7;
/** Shorter texts are not searched. */
const MIN_LENGTH = 2;
/** How many of the latest orders are loaded for each customer found. */
const LATEST = 20;
/** How long the choice of a customer waits for these orders: the caller is on the phone. */
const ORDERS_MS = 1_500;

/** The LATEST newest orders of each of these customers, in one request. */
async function newestOf(customers) {
  if (!customers.length) return [];
  const ids = customers.map(({ id }) => id).join(",");
  return (await get(`orders/?customer=${ids}&latest=${LATEST}&ordering=-id&page_size=${MAX_RESULTS * LATEST}`)).results;
}

/** Of the customer's orders among `orders` (newest first): `last` is the first that was not cancelled, or null; `open` the open ones. */
function lastAndOpen(orders, customer) {
  const own = orders.filter((order) => order.customer === customer.id);
  return {
    last: own.find(({ status }) => status !== "cancelled") ?? null,
    open: own.filter(({ status }) => isOpen(status)),
  };
}

/** Resolves as `promise` does, or with null after `ms`. */
function within(ms, promise) {
  return Promise.race([promise, new Promise((resolve) => setTimeout(resolve, ms, null))]);
}

/** Loads the orders of one customer, as `{last, open}`. */
export async function ordersOf(customer) {
  return lastAndOpen(await newestOf([customer]), customer);
}

export const getsMessages = ({ phone, phone2, email }) => Boolean(email) || [phone, phone2].some(isMobile);

export function itemsText(items) {
  return items.map(({ name, quantity }) => `${name} × ${quantity}`).join(", ");
}

/** The characters that `remove_invisible` removes on the server (web/text.py). */
const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;

/** Guesses which field of a new customer the typed text belongs to: `{phone}`, `{address}` or `{name}`. */
export function guess(text) {
  const typed = text.replace(INVISIBLE, "").trim();
  // A Chinese input method may type full-width digits.
  if (isPhoneNumber(typed)) return { phone: typed.normalize("NFKC") };
  return /[路街巷弄號段]/.test(typed) ? { address: typed } : { name: typed };
}

/**
 * A combobox that searches the API. Calls `take(customer, orders, later)` for a known customer: `orders` is null if not loaded
 * in time, and `later` a promise of the orders, which resolves with null if the request failed.
 * Calls `takeNew(typed)` for a new customer.
 */
export class Finder {
  /** @type {HTMLInputElement} */
  #box = find("#who");
  #list = find("#found");
  #take;
  #takeNew;
  #options = [];
  #at = 0;
  #searches = 0;
  /** Whether Enter was pressed before the response came; the first customer found is then chosen. */
  #isHurried = false;

  constructor({ take, takeNew }) {
    [this.#take, this.#takeNew] = [take, takeNew];
    const askSoon = debounce(PAUSE_MS, () => this.#search());
    this.#box.addEventListener("input", () => {
      // The results belong to the previous text.
      this.#clearResults();
      askSoon();
    });
    this.#box.addEventListener("keydown", (event) => this.#key(event));
    this.#list.addEventListener("mousedown", (event) => this.#press(event));
  }

  clear() {
    this.#box.value = "";
    this.#clearResults();
    this.#box.focus();
  }

  #showError({ status, message }) {
    if (status === 401) return location.reload(); // to the sign-in, and back
    find("#unfound").textContent =
      message || gettext("The site does not respond. Please check the connection and try again.");
    find("#unfound").hidden = false;
  }

  #clearResults() {
    find("#unfound").hidden = true;
    this.#searches += 1;
    this.#isHurried = false;
    this.#show([]);
  }

  async #search() {
    const text = this.#box.value.trim();
    const search = ++this.#searches;
    if (text.length < MIN_LENGTH) return;
    const found = await get(`customers/?is_active=true&page_size=${MAX_RESULTS}&q=${encodeURIComponent(text)}`).catch(
      (/** @type {ApiError} */ error) => error,
    );
    // The text has changed since the request.
    if (search !== this.#searches) return;
    // A failed search does not mean that the customer is new.
    if (found instanceof ApiError) return this.#showError(found);
    const customers = found.results;
    const orders = newestOf(customers).catch(() => null);
    const known = customers.map((customer) => ({
      customer,
      orders: orders.then((all) => all && lastAndOpen(all, customer)),
    }));
    this.#show([...known, { typed: text }]);
    if (this.#isHurried) this.#choose(0);
  }

  #show(options) {
    [this.#options, this.#at] = [options, 0];
    this.#list.replaceChildren(...options.map((option, index) => this.#draw(option, index)));
    this.#list.hidden = !options.length;
    this.#box.setAttribute("aria-expanded", String(Boolean(options.length)));
    this.#mark();
  }

  #draw({ customer, orders, typed }, index) {
    const row = copyTemplate("option");
    row.id = `found-${index}`;
    if (typed) return fill(row, { name: gettext("New customer"), phone: typed });
    orders.then((known) => known?.last && fill(row, { last: itemsText(known.last.items) }));
    return fill(row, customer);
  }

  #mark() {
    for (const [index, row] of [...this.#list.children].entries())
      row.setAttribute("aria-selected", String(index === this.#at));
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
    else if (event.key === "Enter") this.#isHurried = this.#box.value.trim().length >= MIN_LENGTH;
    else return;
    event.preventDefault();
  }

  #press(event) {
    const row = event.target.closest("[role=option]");
    event.preventDefault();
    if (row) this.#choose([...this.#list.children].indexOf(row));
  }

  async #choose(index) {
    const { customer, orders, typed } = this.#options[index];
    this.#clearResults();
    if (typed) return this.#takeNew(typed);
    const search = this.#searches;
    const known = await within(ORDERS_MS, orders);
    // Does nothing if the text was changed or cleared while this waited for the orders.
    if (search === this.#searches) this.#take(customer, known, orders);
  }
}
