/** @typedef {string | null} Value */
/** @typedef {() => Value | Promise<Value>} Giver */

/** The token of a client: none (the session serves), one, or a function that gives one, promised or at once. */
export class Token {
  #given;
  /** @type {Value} */
  #value = null;
  #renewed = false;

  /** @param {Value | Giver} given */
  constructor(given) {
    this.#given = given;
  }

  async value() {
    if (typeof this.#given !== "function") return this.#given;
    this.#value ??= await this.#given();
    return this.#value;
  }

  get renewable() {
    return typeof this.#given === "function";
  }

  /** A fresh one, before the old one ends. */
  async renew() {
    this.#value = null;
    return this.value();
  }

  /** The server refused it. True, once in a row, if there may be a fresh one. */
  refused() {
    if (!this.renewable || this.#renewed) return false;
    this.#value = null;
    this.#renewed = true;
    return true;
  }

  accepted() {
    this.#renewed = false;
  }
}
