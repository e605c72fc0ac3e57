/** Marks rows of an admin list that changed since it was loaded, and offers to reload it. */
import { element, find } from "../web/page.js";
import { LuckyGasSocket } from "./client.js";

/**
 * For the model of each list: the prefix of its event types, and the event's field with the row's id.
 * @type {Record<string, [string, string]>}
 */
const EVENTS = {
  "orders.order": ["order.", "order_id"],
  "customers.customer": ["customer.", "customer_id"],
  "catalogue.product": ["inventory.", "product_id"],
  "dispatch.route": ["route.", "route_id"],
  "dispatch.driver": ["driver.o", "driver_id"],
  "notifications.notificationhistory": ["notification.", "notification_id"],
};
/** Events that are older than the list by more than this mark nothing: the list already contains their changes. */
const MARGIN_MS = 2_000;
const list = find("#live-list");
const news = find("#live-news");

/**
 * Finds a row by its checkbox or its link, because lists without actions have no checkboxes.
 * @param {string} id
 * @returns {HTMLTableRowElement | null}
 */
function row(id) {
  const box = `#result_list input.action-select[value="${CSS.escape(id)}"]`;
  const link = `#result_list th a[href*="/${CSS.escape(id)}/change/"]`;
  return document.querySelector(`:is(${box}, ${link})`)?.closest("tr") ?? null;
}

/**
 * Adds the mark to the cell that names the row, not to the checkbox's cell.
 * @param {HTMLTableRowElement} changed
 */
function mark(changed) {
  if (changed.classList.contains("changed")) return;
  changed.classList.add("changed");
  (changed.querySelector("th") ?? find("td", changed)).append(
    element("span", list.dataset.mark ?? "", "badge warn mark"),
  );
}

const [prefix, field] = EVENTS[list.dataset.model ?? ""] ?? [];
const status = find("connection-status", list);
if (prefix) {
  const { since, epoch, user, read } = list.dataset;
  const socket = new LuckyGasSocket("/api/v1/websocket/ws/office", { since, epoch, user, remember: false });
  status.socket = socket;
  socket.on("resync", () => (news.hidden = false));
  socket.on("*", (frame) => {
    if (!("data" in frame) || !frame.type.startsWith(prefix)) return;
    const id = /** @type {Record<string, unknown>} */ ({ ...frame.data })[field];
    if (id === undefined || Date.parse(frame.timestamp) < Date.parse(read ?? "") - MARGIN_MS) return;
    const shown = row(String(id));
    if (shown) mark(shown);
    news.hidden = false;
  });
} else status.hidden = true;
