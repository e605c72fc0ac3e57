/** A list of the admin: rows that changed since it was loaded are marked, and what is new is one press away. */
import { LuckyGasSocket } from "./client.js";

/** Where an event of a type names the row, by the model of the list. */
const NAMES = {
  "orders.order": ["order.", "order_id"],
  "customers.customer": ["customer.", "customer_id"],
  "catalogue.product": ["inventory.", "product_id"],
  "dispatch.route": ["route.", "route_id"],
  "dispatch.driver": ["driver.o", "driver_id"],
  "notifications.notificationhistory": ["notification.", "notification_id"],
};
/** What was committed so long before the list was read is in it, though the log may tell it later. */
const MARGIN_MS = 2_000;
const list = document.querySelector("#live-list");
const news = document.querySelector("#live-news");

function row(id) {
  return (
    document.querySelector(`#result_list input.action-select[value="${CSS.escape(id)}"]`)?.closest("tr") ?? linked(id)
  );
}

/** Lists without actions have no boxes. */
function linked(id) {
  return document.querySelector(`#result_list th a[href*="/${CSS.escape(id)}/change/"]`)?.closest("tr") ?? null;
}

function mark(changed) {
  if (changed.classList.contains("changed")) return;
  changed.classList.add("changed");
  const badge = Object.assign(document.createElement("span"), {
    className: "badge warn mark",
    textContent: list.dataset.mark,
  });
  (changed.querySelector("th") ?? changed.querySelector("td")).append(badge);
}

const [prefix, field] = NAMES[list.dataset.model] ?? [];
const status = list.querySelector("connection-status");
if (prefix) {
  const { since, epoch, user, read } = list.dataset;
  const socket = new LuckyGasSocket("/api/v1/websocket/ws/office", { since, epoch, user, remember: false });
  status.socket = socket;
  socket.on("resync", () => (news.hidden = false));
  socket.on("*", ({ type, data, timestamp }) => {
    if (!type.startsWith(prefix) || data?.[field] === undefined) return;
    if (Date.parse(timestamp) < Date.parse(read) - MARGIN_MS) return;
    const shown = row(String(data[field]));
    if (shown) mark(shown);
    news.hidden = false;
  });
} else status.hidden = true;
