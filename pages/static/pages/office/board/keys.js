/** Keyboard control of the board: arrow keys move between cards, M opens the move dialog, / focuses the search. */
import { closest, find, findAll } from "../../../web/page.js";

const STEPS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

function focusCard(card) {
  find("a", card).focus();
}

function neighbourOf(card, [across, down]) {
  if (down) return down > 0 ? card.nextElementSibling : card.previousElementSibling;
  const columns = findAll(".column:not(.closed), .column.unfolded").filter((column) => column.querySelector(".order"));
  const column = columns[columns.indexOf(card.closest(".column")) + across];
  const row = [...card.parentElement.children].indexOf(card);
  const cards = column ? findAll(".order", column) : [];
  return cards[Math.min(row, cards.length - 1)];
}

/** Adds the key handlers. `search` is the input to focus. `move(id)` opens the dialog for an order. */
export function useKeys(root, { search, move }) {
  root.addEventListener("keydown", (event) => {
    const card = event.target.closest(".order");
    if (!card || event.altKey || event.ctrlKey || event.metaKey) return;
    const next = STEPS[event.key] ? neighbourOf(card, STEPS[event.key]) : null;
    if (next) focusCard(next);
    if (event.key.toLowerCase() === "m") move(Number(card.dataset.id));
    if (STEPS[event.key] || event.key.toLowerCase() === "m") event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || closest(event, "input, textarea, select, dialog[open]")) return;
    event.preventDefault();
    search.focus();
  });
}
