/** The guess which field of a new customer the search text belongs to. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { guess } from "/static/pages/office/new-order/customers.js";

const NUMBERS = [
  "(+886) 912-777-888",
  "tel:0912777888",
  "0912‑777‑888",
  "0912.777.888",
  "\u200e0912\u200b777888\ufeff",
];
const MORE_NUMBERS = ["７７７８８８", "電話：0912-777-888", "０９２２０００１１１", "0912–777–888"];
const LANDLINES = ["02-2930-0016 分機29", "(02)29300016#29", "2365 0003", "678"];

describe("new order", () => {
  for (const [field, texts] of [
    ["phone", [...NUMBERS, ...MORE_NUMBERS, ...LANDLINES]],
    ["name", ["王小明", "A1", "Rex", "王 678"]],
    ["address", ["信義路4段1號"]],
  ])
    test(`typed text is guessed to be a new customer's ${field}`, () => {
      for (const text of texts) assert.deepEqual(Object.keys(guess(text)), [field], text);
    });

  test("invisible characters are removed from the guess", () => {
    assert.deepEqual(guess("信義路4段1號\u200b"), { address: "信義路4段1號" });
  });
});
