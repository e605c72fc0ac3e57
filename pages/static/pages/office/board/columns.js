/** The columns with a card for each order, sorted. Moves only the cards whose place changes. */
import { copyTemplate, fill, find, findAll } from "../../../web/page.js";
import { isOpen } from "../../../web/statuses.js";
import { fillCard } from "./cards.js";
import { rank } from "./store.js";

function setReachable(card, isReachable) {
  for (const control of findAll("a, button", card)) control.tabIndex = isReachable ? 0 : -1;
}

const neighbourOf = (card) => card.nextElementSibling ?? card.previousElementSibling;

class Column {
  rows = [];
  reachable = null;

  constructor(section) {
    this.section = section;
    this.list = find("ol", section);
  }

  #position(key) {
    let low = 0,
      high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].key < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  insert(row) {
    const position = this.#position(row.key);
    this.list.insertBefore(row.card, this.rows[position]?.card ?? null);
    this.rows.splice(position, 0, row);
  }

  remove(row) {
    this.rows.splice(this.rows.indexOf(row), 1);
    if (this.reachable === row.card) this.reachable = null;
  }

  /** Makes this card the only one of the column that Tab stops at. Arrow keys lead to the others. */
  reach(card) {
    if (this.reachable === card) return;
    if (this.reachable) setReachable(this.reachable, false);
    if (card) setReachable(card, true);
    this.reachable = card;
  }

  /** Updates the counts, and makes the first card reachable if none is. */
  update() {
    if (!this.reachable) this.reach(this.rows[0]?.card ?? null);
    const urgent = this.rows.filter(({ isUrgent }) => isUrgent).length;
    fill(this.section, { count: this.rows.length, urgent: urgent || "" });
    find(".urgent-count", this.section).hidden = !urgent;
  }
}

export class Columns {
  #columns;
  #rows = new Map();
  #store;
  #shows;
  #texts;

  /** `shows(order)` tells whether the order passes the filters. `texts` is the third argument of `fillCard`. */
  constructor(root, { store, shows, texts }) {
    this.#columns = new Map(findAll(".column", root).map((section) => [section.dataset.status, new Column(section)]));
    this.#store = store;
    this.#shows = shows;
    this.#texts = texts;
    root.addEventListener("focusin", ({ target }) => {
      const card = target.closest(".order");
      if (card) this.#columnOf(card).reach(card);
    });
  }

  #columnOf(card) {
    return this.#columns.get(card.closest(".column").dataset.status);
  }

  card = (id) => this.#rows.get(id)?.card;

  draw = (id) => {
    const order = this.#store.get(id);
    if (!order || !this.#shows(order)) return this.#drop(id);
    const row = this.#rows.get(id) ?? this.#add(id);
    fillCard(row.card, order, this.#texts);
    this.#place(row, order);
  };

  #add(id) {
    const card = copyTemplate("order-card");
    card.dataset.id = id;
    setReachable(card, false);
    const row = { card, column: null, key: "", isUrgent: false };
    this.#rows.set(id, row);
    return row;
  }

  #place(row, order) {
    const column = this.#columns.get(order.status);
    const key = rank(order);
    row.isUrgent = order.priority === "urgent" && isOpen(order.status);
    if (row.column === column && row.key === key) return;
    // An element loses the focus when it is moved.
    const focused = row.card.contains(document.activeElement) ? document.activeElement : null;
    const neighbour = neighbourOf(row.card);
    row.column?.remove(row);
    Object.assign(row, { column, key });
    column.insert(row);
    setReachable(row.card, false);
    if (focused) this.#focus(focused, row.card, neighbour);
  }

  #drop(id) {
    const row = this.#rows.get(id);
    if (!row) return;
    const hadFocus = row.card.contains(document.activeElement);
    const neighbour = neighbourOf(row.card);
    row.column.remove(row);
    row.card.remove();
    this.#rows.delete(id);
    if (hadFocus) this.#focus(neighbour);
  }

  /** Focuses the first of `wanted`, or of the top cards of all columns, that can take the focus. Cards in folded columns cannot. */
  #focus(...wanted) {
    const firsts = [...this.#columns.values()].map(({ rows }) => rows[0]?.card);
    for (const element of [...wanted, ...firsts].filter(Boolean)) {
      const control = element.matches(".order") ? find("a", element) : element;
      control.focus({ preventScroll: wanted.includes(element) });
      if (document.activeElement === control) return;
    }
  }

  /** Updates the counts and Tab stops of all columns. Call it once after many draws. */
  update = () => {
    for (const column of this.#columns.values()) column.update();
  };
}
