/** Draws stops: the next one large, the others as rows. */
import { copyOf, fill, find, findAll, money } from "../../web/page.js";
import { isSecondTap } from "./taps.js";
import { back, mayFail, onward, slotWord, statusWord } from "./moves.js";

/** Telephones of Apple know no `geo:`; their tablets call themselves a Macintosh, which has no fingers on it. */
const isApple = () =>
  /iPhone|iPad/.test(navigator.userAgent) || (/Macintosh/.test(navigator.userAgent) && navigator.maxTouchPoints > 1);

function show(root, name, isShown) {
  for (const element of findAll(`[data-show="${name}"]`, root)) element.hidden = !isShown;
}

/** Where the map of the telephone is to lead (RFC 5870; `q` as Android reads it). */
function place({ latitude, longitude, delivery_address: address }) {
  const isKnown = latitude !== null && longitude !== null;
  const where = isKnown ? `${latitude},${longitude}` : encodeURIComponent(address);
  if (isApple()) return `https://maps.apple.com/?daddr=${where}`;
  return isKnown ? `geo:${where}?q=${where}` : `geo:0,0?q=${where}`;
}

function fillStop(root, { row, status, isPending, number }) {
  fill(root, {
    number,
    slot: slotWord(row.time_slot),
    name: row.customer_name,
    address: row.delivery_address,
    state: statusWord(status),
  });
  root.dataset.status = status;
  show(root, "urgent", row.priority === "urgent");
  show(root, "pending", isPending);
  return root;
}

function fillItems(list, items) {
  const texts = items.map(({ name, quantity }) => `${name} × ${quantity}`);
  if (
    findAll("li", list)
      .map((li) => li.textContent)
      .join("\n") === texts.join("\n")
  )
    return;
  list.replaceChildren(...texts.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
}

function link(root, name, href) {
  const element = find(`[data-link="${name}"]`, root);
  if (element.getAttribute("href") !== href) element.href = href;
}

function fillMoves(root, status) {
  const [go, reverse] = [onward(status), back(status)];
  const [first, second, fails] = ["", "back", "failed"].map((name) => find(`[data-move="${name}"]`, root));
  first.hidden = !go;
  if (go) first.textContent = go.word;
  second.hidden = !reverse;
  if (reverse) second.textContent = reverse.word;
  fails.hidden = !mayFail(status);
}

/** The card of the next stop. */
export function fillCard(root, stop) {
  const { row, status } = stop;
  fillStop(root, stop);
  fill(root, { due: money(row.amount_due), notes: row.notes, order: row.order_number });
  show(root, "notes", Boolean(row.notes));
  fillItems(find(".items", root), row.items);
  link(root, "navigate", place(row));
  link(root, "call", `tel:${row.customer_phone}`);
  show(root, "call", Boolean(row.customer_phone));
  link(root, "second", `tel:${row.customer_phone2}`);
  show(root, "second", Boolean(row.customer_phone2));
  fillMoves(root, status);
}

/** Rows that stay the same elements while their stop is in the list. */
export class Rows {
  #rows = new Map();
  #list;
  #template;

  constructor(section, template, onPress = null) {
    this.#list = find("[data-list]", section);
    this.#template = template;
    this.#list.addEventListener("click", (event) => {
      const pressed = event.target.closest("button.stop");
      if (pressed && !isSecondTap(event)) onPress(Number(pressed.dataset.id));
    });
  }

  draw(stops) {
    const ids = new Set(stops.map(({ row }) => row.id));
    for (const [id, element] of this.#rows) if (!ids.has(id)) element.remove();
    for (const id of [...this.#rows.keys()]) if (!ids.has(id)) this.#rows.delete(id);
    stops.forEach((stop, position) => {
      const element = this.#rows.get(stop.row.id) ?? this.#add(stop.row.id);
      fillStop(find(".stop", element), stop);
      fill(element, { amount: stop.row.amount_collected === null ? "" : money(stop.row.amount_collected) });
      if (this.#list.children[position] !== element)
        this.#list.insertBefore(element, this.#list.children[position] ?? null);
    });
  }

  #add(id) {
    const element = copyOf(this.#template);
    find(".stop", element).dataset.id = id;
    this.#rows.set(id, element);
    return element;
  }
}
