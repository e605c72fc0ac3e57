/** The lines of an order and their total. */
import { getAll } from "../../../web/api.js";
import { money } from "../../../web/money.js";
import { copyTemplate, fill, find, findAll, pageData } from "../../../web/page.js";

const { products: offered, usual } = pageData();
let products = offered;
const lines = find("#lines");

function price(line) {
  const product = products.find(({ id }) => id === Number(find("select", line).value));
  return (product?.price ?? 0) * (Number(find("input", line).value) || 0);
}

/** The total in NT$, by the prices that the page has loaded. */
export function total() {
  return findAll(".line", lines).reduce((sum, line) => sum + price(line), 0);
}

function drawTotals() {
  const rows = findAll(".line", lines);
  for (const line of rows) {
    fill(line, { price: money(price(line)) });
    find(".remove", line).hidden = rows.length === 1;
  }
  find("#total").textContent = interpolate(gettext("Total %s"), [money(total())]);
}

function add(product = usual, quantity = 1) {
  const line = copyTemplate("line");
  find("select", line).append(...products.map(({ id, name }) => new Option(name, String(id), false, id === product)));
  find("input", line).value = String(quantity);
  find(".remove", line).addEventListener("click", () => {
    line.remove();
    drawTotals();
  });
  lines.append(line);
  drawTotals();
  return line;
}

/** Fills the basket with those items of the last order that are still sold, or with one of the most ordered product. */
export function fillBasket(items) {
  lines.replaceChildren();
  const sold = items.filter(({ product }) => products.some(({ id }) => id === product));
  for (const { product, quantity } of sold) add(product, quantity);
  if (!sold.length) add();
}

export function items() {
  const quantities = new Map();
  for (const line of findAll(".line", lines)) {
    const product = Number(find("select", line).value);
    quantities.set(product, (quantities.get(product) ?? 0) + Number(find("input", line).value));
  }
  return [...quantities].map(([product, quantity]) => ({ product, quantity }));
}

/** The form field `name` of the item with this index in `items()`. If several lines have its product, the field of the last one. */
export function fieldOf(index, name) {
  const product = String(items()[index]?.product);
  const line = findAll(".line", lines).findLast((line) => find("select", line).value === product);
  return line?.querySelector(`[name="${name}"]`);
}

/** Reloads the products and draws their prices, because the form may have been open for a long time. */
export async function reloadPrices() {
  const { rows } = await getAll("products/?is_active=true&ordering=-cylinder_kg");
  products = rows;
  drawTotals();
}

lines.addEventListener("input", drawTotals);
find("#add").addEventListener("click", () => find("select", add()).focus());
