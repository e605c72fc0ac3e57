/** Draws stops: the next one as a card, the others as rows. */
/** @import { Stop } from "types/driver" */
/** @import { OrderItem, OrderRow, OrderStatus } from "types/rows" */
import { money } from "../../web/money.js";
import { closest, copyTemplate, element, fill, find, findAll } from "../../web/page.js";
import { slotLabel, statusLabel } from "../../web/statuses.js";
import { backMove, mayFail, onwardMove } from "./moves.js";
import { isSecondTap } from "./taps.js";

/** Apple's devices do not support `geo:`. Their tablets identify as Macintosh, but have a touch screen. */
const isApple = () =>
  /iPhone|iPad/.test(navigator.userAgent) || (/Macintosh/.test(navigator.userAgent) && navigator.maxTouchPoints > 1);

/**
 * @param {ParentNode} root
 * @param {string} name
 * @param {boolean} isShown
 */
function setShown(root, name, isShown) {
  for (const part of findAll(`[data-show="${name}"]`, root)) part.hidden = !isShown;
}

/**
 * The URL that opens the stop in the phone's map app (RFC 5870; `q` as Android reads it).
 * @param {OrderRow} row
 */
function mapLink({ latitude, longitude, delivery_address: address }) {
  const isKnown = latitude != null && longitude != null;
  const where = isKnown ? `${latitude},${longitude}` : encodeURIComponent(address);
  if (isApple()) return `https://maps.apple.com/?daddr=${where}`;
  return isKnown ? `geo:${where}?q=${where}` : `geo:0,0?q=${where}`;
}

/**
 * @param {HTMLElement} root
 * @param {Stop} stop
 */
function fillStop(root, { row, status, isPending, number }) {
  fill(root, {
    number,
    slot: slotLabel(row.time_slot),
    name: row.customer_name,
    address: row.delivery_address,
    state: statusLabel(status),
  });
  root.dataset.status = status;
  setShown(root, "urgent", row.priority === "urgent");
  setShown(root, "pending", isPending);
  return root;
}

/**
 * @param {HTMLElement} list
 * @param {OrderItem[]} items
 */
function fillItems(list, items) {
  const texts = items.map(({ name, quantity }) => `${name} × ${quantity}`);
  const shown = [...list.children].map(({ textContent }) => textContent);
  if (shown.join("\n") !== texts.join("\n")) list.replaceChildren(...texts.map((text) => element("li", text)));
}

/**
 * @param {HTMLElement} root
 * @param {string} name
 * @param {string} href
 */
function setLink(root, name, href) {
  /** @type {HTMLAnchorElement} */
  const anchor = find(`[data-link="${name}"]`, root);
  if (anchor.getAttribute("href") !== href) anchor.href = href;
}

/**
 * @param {HTMLElement} root
 * @param {OrderStatus} status
 */
function fillMoves(root, status) {
  const [go, reverse] = [onwardMove(status), backMove(status)];
  const [first, second, fails] = ["", "back", "failed"].map((name) => find(`[data-move="${name}"]`, root));
  first.hidden = !go;
  if (go) first.textContent = go.label ?? "";
  second.hidden = !reverse;
  if (reverse) second.textContent = reverse.label ?? "";
  fails.hidden = !mayFail(status);
}

/**
 * The card of the next stop.
 * @param {HTMLElement} root
 * @param {Stop} stop
 */
export function fillCard(root, stop) {
  const { row, status } = stop;
  fillStop(root, stop);
  fill(root, { due: money(row.amount_due), notes: row.notes, order: row.order_number });
  setShown(root, "notes", Boolean(row.notes));
  fillItems(find(".items", root), row.items);
  setLink(root, "navigate", mapLink(row));
  setLink(root, "call", `tel:${row.customer_phone}`);
  setShown(root, "call", Boolean(row.customer_phone));
  setLink(root, "second", `tel:${row.customer_phone2}`);
  setShown(root, "second", Boolean(row.customer_phone2));
  fillMoves(root, status);
}

/** A list that keeps the element of each stop while the stop is in the list, so that focus and scroll position stay. */
export class Rows {
  /** @type {Map<number, HTMLElement>} */
  #rows = new Map();
  #list;
  #template;

  /**
   * @param {HTMLElement} section
   * @param {string} template
   * @param {(id: number) => void} onPress
   */
  constructor(section, template, onPress = () => {}) {
    this.#list = find("[data-list]", section);
    this.#template = template;
    this.#list.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const pressed = closest(event, "button.stop");
      if (pressed && !isSecondTap(event)) onPress(Number(pressed.dataset.id));
    });
  }

  /** @param {Stop[]} stops */
  draw(stops) {
    const ids = new Set(stops.map(({ row }) => row.id));
    for (const [id, shown] of this.#rows) if (!ids.has(id)) shown.remove();
    for (const id of [...this.#rows.keys()]) if (!ids.has(id)) this.#rows.delete(id);
    stops.forEach((stop, position) => {
      const shown = this.#rows.get(stop.row.id) ?? this.#add(stop.row.id);
      fillStop(find(".stop", shown), stop);
      fill(shown, { amount: stop.row.amount_collected === null ? "" : money(stop.row.amount_collected) });
      if (this.#list.children[position] !== shown)
        this.#list.insertBefore(shown, this.#list.children[position] ?? null);
    });
  }

  /**
   * @param {number} id
   * @returns {HTMLElement}
   */
  #add(id) {
    const row = copyTemplate(this.#template);
    find(".stop", row).dataset.id = String(id);
    this.#rows.set(id, row);
    return row;
  }
}
