/** The drawer with one order: its items, history, messages and proof. Updates while it is open. */
import { ApiError, get, getAll } from "../../../web/api.js";
import { money } from "../../../web/money.js";
import { closest, copyTemplate, debounce, fill, find } from "../../../web/page.js";
import { Refetcher } from "../../../web/retry.js";
import { phoneText } from "../../../web/telephone.js";
import { dayAndClock, shortDay } from "../../../web/time.js";
import { productsText } from "./cards.js";
import { lateText } from "./live.js";

/** Changes that follow each other within this time cause one read. */
const GATHER_MS = 200;

function rows(list, template, values) {
  list.replaceChildren(...values.map((value) => fill(copyTemplate(template), value)));
  find(`#${list.dataset.none}`).hidden = values.length > 0;
}

export class Drawer {
  #element;
  #labels;
  #isFinal;
  #onRead;
  #onError;
  #opener = null;
  /** The number of reads so far. Only the result of the last read is shown. */
  #reads = 0;
  #takesFocus = false;
  /** The id of the order opened last. `shown` is the id of the displayed order, which may still be the previous one. */
  id = null;
  shown = null;

  /** `isFinal(status)`: see `fillCard`. Calls `onRead(row)` for each order that it shows, `onError(error)` if opening fails. */
  constructor(element, { labels, isFinal, onRead, onError }) {
    this.#element = element;
    this.#labels = labels;
    this.#isFinal = isFinal;
    this.#onRead = onRead;
    this.#onError = onError;
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !closest(event, "dialog")) this.close();
    });
    find("[data-do=close]", element).addEventListener("click", () => this.close());
  }

  async open(id) {
    if (!this.#element.contains(document.activeElement)) this.#opener = document.activeElement;
    this.id = id;
    this.#setUrl(id);
    this.#takesFocus = true;
    const error = await this.#read();
    if (!error || this.id !== id) return;
    this.close();
    this.#onError(error);
  }

  close() {
    if (this.id === null) return;
    this.id = this.shown = null;
    this.#element.hidden = true;
    this.#setUrl(null);
    if (this.#opener?.isConnected) this.#opener.focus();
  }

  #setUrl(id) {
    const address = new URL(location.href);
    if (id) address.searchParams.set("order", id);
    else address.searchParams.delete("order");
    history.replaceState(null, "", address);
  }

  /** Call it when the order with this id, its messages or its proof changed. */
  changed(id) {
    if (id === this.id) this.#refetchSoon();
  }

  /** Call it when any order may have changed. */
  refresh() {
    this.#refetchSoon();
  }

  #refetcher = new Refetcher(async () => {
    const error = this.id === null ? null : await this.#read();
    if (error?.isTemporary) throw error;
  });

  #refetchSoon = debounce(GATHER_MS, () => this.#refetcher.add("order"));

  /** Reads the order, and shows it unless another read began before the responses came. Returns the error, or null. */
  async #read() {
    const read = ++this.#reads;
    try {
      const order = await get(`orders/${this.id}/`);
      const [customer, messages] = await Promise.all([
        get(`customers/${order.customer}/`),
        getAll(`notifications/?order=${order.id}`),
      ]);
      if (read === this.#reads && this.id === order.id) this.#show(order, customer, messages.rows);
      return null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return error;
    }
  }

  #show(order, customer, messages) {
    this.#onRead(order);
    this.#fill(order, customer);
    rows(find(".items", this.#element), "item-row", order.items.map(itemValues));
    rows(
      find(".history", this.#element),
      "history-row",
      order.history.map((row) => this.#historyValues(row)).reverse(),
    );
    rows(
      find(".messages", this.#element),
      "message-row",
      messages.map((row) => this.#messageValues(row)),
    );
    rows(
      find(".proofs", this.#element),
      "proof-row",
      order.confirmations.map((row) => this.#proofValues(row)),
    );
    find(".images", this.#element).replaceChildren(...order.proof_images.map((image) => this.#image(image)));
    this.shown = order.id;
    this.#element.hidden = false;
    if (this.#takesFocus) find("h2", this.#element).focus();
    this.#takesFocus = false;
  }

  #fill(order, customer) {
    const labels = this.#labels;
    fill(this.#element, {
      number: order.order_number,
      status: labels.status[order.status],
      priority: order.priority === "urgent" ? labels.priority.urgent : "",
      customer: order.customer_name,
      address: order.delivery_address,
      notes: order.notes,
      products: productsText(order.items),
      when: `${shortDay(order.scheduled_date)} ${labels.time_slot[order.time_slot]}`,
      eta: order.eta ? dayAndClock(order.eta) : "–",
      driver: order.driver_name ?? "–",
      due: money(order.amount_due),
      collected: order.amount_collected === null ? "–" : money(order.amount_collected),
      attempt: order.attempt,
    });
    /** @type {HTMLAnchorElement} */
    const phone = find(".phone", this.#element);
    phone.textContent = phoneText(customer.phone || customer.phone2);
    phone.href = `tel:${customer.phone || customer.phone2}`;
    const edit = this.#element.querySelector(".edit");
    if (edit) edit.href = edit.dataset.href.replace("/0/", `/${order.id}/`);
    find("[data-do=move]", this.#element).hidden = this.#isFinal(order.status);
    for (const button of this.#element.querySelectorAll("[data-again]")) button.hidden = order.status !== "failed";
    this.#element.classList.toggle("urgent", order.priority === "urgent");
  }

  #historyValues({ from_status: from, to_status: to, changed_by: by, at, recorded_at: recorded, reason }) {
    const names = this.#labels.status;
    return {
      move: from ? `${names[from]} → ${names[to]}` : names[to],
      by: by ?? gettext("the system"),
      at: dayAndClock(at),
      reason,
      late: lateText(at, recorded) ?? "",
    };
  }

  #messageValues({ content, status, recipient, created_at: made, sent_at: sent, error_message: error }) {
    return { content, status: this.#labels.message_status[status], recipient, at: dayAndClock(sent ?? made), error };
  }

  #image({ url, kind }) {
    const link = copyTemplate("proof-image");
    Object.assign(find("img", link), { src: url, alt: this.#labels.confirmation_type[kind] });
    return Object.assign(link, { href: url });
  }

  #proofValues({
    confirmation_type: type,
    cylinder_serials: serials,
    confirmed_at: at,
    confirmed_by: by,
    latitude,
    longitude,
  }) {
    const place = latitude === null ? "" : `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;
    return {
      type: this.#labels.confirmation_type[type],
      serials: serials.join(", "),
      at: dayAndClock(at),
      by: by ?? "",
      place,
    };
  }
}

function itemValues({ name, quantity, unit_price: price, quantity_delivered: delivered }) {
  return { name, quantity, price: money(price), delivered: delivered ?? "–" };
}
