/** Drags cards onto columns, drivers and routes. Marks the allowed targets; others accept no drop. */
import { findAll } from "../../../web/page.js";

export class Dragging {
  #order = null;
  #targets = new Map();
  #over = null;
  #store;
  #moves;
  #onDrop;

  /** `onDrop(order, target)` is called with the order as it was when the drag began. */
  constructor(root, { store, moves, onDrop }) {
    this.#store = store;
    this.#moves = moves;
    this.#onDrop = onDrop;
    for (const [name, handler] of Object.entries({
      dragstart: this.#start,
      dragover: this.#drag,
      drop: this.#drop,
    }))
      root.addEventListener(name, handler);
    this.root = root;
  }

  #start = (event) => {
    const card = event.target.closest?.(".order");
    const order = card && this.#store.get(Number(card.dataset.id));
    if (!order) return;
    this.#order = order;
    // Registered on the card: if the card has left the board by then, the event does not reach the board.
    card.addEventListener("dragend", this.#end, { once: true });
    this.#targets = new Map(this.#moves.targets(this.#order).map((target) => [target.key, target]));
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", this.#order.order_number);
    // Deferred, because some browsers end the drag if the card's style changes at once.
    setTimeout(() => this.#mark(true));
  };

  #mark(isDragging) {
    this.root.classList.toggle("dragging", isDragging);
    for (const place of findAll("[data-target]", this.root)) {
      place.classList.toggle("allowed", isDragging && this.#targets.has(place.dataset.target));
    }
  }

  #place(event) {
    const place = event.target.closest?.("[data-target]");
    return place && this.#targets.has(place.dataset.target) ? place : null;
  }

  #drag = (event) => {
    const place = this.#place(event);
    if (place) event.preventDefault();
    if (place === this.#over) return;
    this.#over?.classList.remove("over");
    place?.classList.add("over");
    this.#over = place;
  };

  #drop = (event) => {
    const place = this.#place(event);
    if (!place) return;
    event.preventDefault();
    this.#onDrop(this.#order, this.#targets.get(place.dataset.target));
  };

  #end = () => {
    this.#over?.classList.remove("over");
    this.#targets.clear();
    this.#mark(false);
    this.#order = this.#over = null;
  };
}
