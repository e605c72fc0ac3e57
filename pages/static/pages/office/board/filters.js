/** Filters orders by day, time slot, driver, area and text. All but the text are in the page's URL. */
import { today } from "../../../web/server-clock.js";
import { isOpen } from "../../../web/statuses.js";
import { dayOf } from "../../../web/time.js";

const IN_URL = ["day", "date", "slot", "driver", "area"];
/** The text without spaces, dashes and invisible characters, in lower case, for comparisons. */
const simplified = (text) =>
  text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[\s\p{Pd}\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, "");

export class Filters {
  /** The ids that the server found for the typed text; null without a response for it. */
  found = null;
  #form;
  #chosen = {};

  constructor(form) {
    this.#form = form;
    const url = new URLSearchParams(location.search);
    for (const name of IN_URL) if (url.has(name)) this.#restore(form.elements[name], url.get(name));
    this.read();
  }

  /** Sets the field. Adds a missing option first, because drivers and areas are not loaded yet when the page opens. */
  #restore(field, value) {
    if (field instanceof HTMLSelectElement && ![...field.options].some((option) => option.value === value)) {
      field.add(new Option(value, value));
    }
    field.value = value;
  }

  /** Reads the form and updates the page's URL. */
  read() {
    const values = Object.fromEntries(new FormData(this.#form));
    this.#chosen = { ...values, q: simplified(String(values.q)) };
    this.#form.elements.date.hidden = values.day !== "date";
    const url = new URL(location.href);
    for (const name of IN_URL) {
      if (values[name] && values[name] !== this.#form.elements[name].dataset.usual)
        url.searchParams.set(name, String(values[name]));
      else url.searchParams.delete(name);
    }
    history.replaceState(null, "", url);
  }

  set(name, value) {
    this.#form.elements[name].value = value;
    this.#form.elements[name].dispatchEvent(new Event("change", { bubbles: true }));
  }

  /** The day whose delivered and cancelled orders are shown. */
  get closedDay() {
    return this.day ?? today();
  }

  /** The chosen day: today for “Today and overdue”, null for “All days” and while the date is empty. */
  get day() {
    const { day, date } = this.#chosen;
    if (day === "all" || (day === "date" && !date)) return null;
    if (day === "date") return date;
    return day === "tomorrow" ? today(1) : today();
  }

  shows = (order) => {
    const { slot, driver, area, q } = this.#chosen;
    if (slot && order.time_slot !== slot) return false;
    if (driver && String(order.driver ?? "none") !== driver) return false;
    if (area && order.area !== area) return false;
    // A search finds orders of all days.
    return q ? this.#matches(order, q) : this.isOnDay(order);
  };

  #matches(order, text) {
    if (this.found?.has(order.id)) return true;
    return [
      order.order_number,
      order.customer_name,
      order.delivery_address,
      order.customer_phone,
      order.customer_phone2,
    ].some((part) => simplified(part ?? "").includes(text));
  }

  isOnDay(order) {
    const { day } = this;
    if (day !== null && this.#chosen.day !== "now") return order.scheduled_date === day;
    const now = today();
    if (!isOpen(order.status)) return order.scheduled_date === now || dayOf(order.updated_at) === now;
    return day === null || order.scheduled_date <= now;
  }
}
