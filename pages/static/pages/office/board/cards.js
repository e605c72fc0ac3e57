/** Writes an order into its card. */
import { fill, find } from "../../../web/page.js";
import { now, today } from "../../../web/server-clock.js";
import { isOpen, slotLabel } from "../../../web/statuses.js";
import { age, clock, shortDay } from "../../../web/time.js";
import { laterText } from "./store.js";

export function productsText(items) {
  return items.map(({ name, quantity }) => `${name} × ${quantity}`).join("、");
}

function whenText({ scheduled_date: date, time_slot: slot, eta }) {
  const day = date === today() ? "" : shortDay(date);
  return [day, eta ? clock(eta) : slotLabel(slot)].filter(Boolean).join(" ");
}

/**
 * Writes the order into the card. `labels` are texts by field and value. `driverName(id)` returns a name. `isFinal(status)` tells
 * whether the office may make no move from this status; the card then has no “Move” button.
 */
export function fillCard(card, order, { labels, driverName, isFinal }) {
  const isUnfinished = isOpen(order.status);
  card.dataset.version = order.version;
  card.classList.toggle("urgent", order.priority === "urgent" && isUnfinished);
  card.classList.toggle("failed", order.status === "failed");
  card.classList.toggle("overdue", isUnfinished && order.scheduled_date < today());
  const stop = order.stop_sequence ? ` #${order.stop_sequence}` : "";
  fill(card, {
    priority: order.priority === "urgent" ? labels.priority.urgent : "",
    number: order.order_number,
    customer: order.customer_name,
    address: order.delivery_address,
    products: productsText(order.items),
    when: whenText(order),
    driver: order.driver ? driverName(order.driver) + stop : "",
    age: order.created_at ? age(now() - Date.parse(order.created_at)) : "",
    late: order.reported_later ? laterText(order.reported_later) : "",
    attempt: order.attempt > 1 ? interpolate(gettext("attempt %s"), [order.attempt]) : "",
  });
  find(".late", card).hidden = !order.reported_later;
  find(".move", card).hidden = isFinal(order.status);
  const link = find("a", card);
  if (!link.search) link.href = `?order=${order.id}`;
}
