/** What a card says of its order. */
import { fill, find } from "../../../web/page.js";
import { now, today } from "../../../web/server-clock.js";
import { isOpen, slotWord } from "../../../web/statuses.js";
import { age, clock, shortDay } from "../../../web/time.js";

export function productsText(products) {
  return products.map(({ name, quantity }) => `${name} × ${quantity}`).join("、");
}

function whenText({ date, slot, eta }) {
  const day = date === today() ? "" : shortDay(date);
  return [day, eta ? clock(eta) : slotWord(slot)].filter(Boolean).join(" ");
}

/** `labels`: words by field and value; `driverName(id)`; `isEnd(status)`: it goes nowhere any more. */
export function fillCard(card, order, { labels, driverName, isEnd }) {
  const isAhead = isOpen(order.status);
  card.dataset.version = order.version;
  card.classList.toggle("urgent", order.priority === "urgent" && isAhead);
  card.classList.toggle("failed", order.status === "failed");
  card.classList.toggle("overdue", isAhead && order.date < today());
  const stop = order.stop ? ` #${order.stop}` : "";
  fill(card, {
    priority: order.priority === "urgent" ? labels.priority.urgent : "",
    number: order.number,
    customer: order.customer,
    address: order.address,
    products: productsText(order.products),
    when: whenText(order),
    driver: order.driver ? driverName(order.driver) + stop : "",
    age: order.createdAt ? age(now() - Date.parse(order.createdAt)) : "",
    late: order.late ?? "",
    attempt: order.attempt > 1 ? interpolate(gettext("attempt %s"), [order.attempt]) : "",
  });
  find(".late", card).hidden = !order.late;
  find(".move", card).hidden = isEnd(order.status);
  const link = find("a", card);
  if (!link.search) link.href = `?order=${order.id}`;
}
