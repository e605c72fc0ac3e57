/** The token of a client: none (the session serves), one, or a function that gives one, promised or at once. */
export class Token {
  #given;
  #value = null;
  #renewed = false;

  constructor(given) {
    this.#given = given;
  }

  async value() {
    if (!this.renewable) return this.#given;
    this.#value ??= await this.#given();
    return this.#value;
  }

  get renewable() {
    return typeof this.#given === "function";
  }

  /** A fresh one, before the old one ends. */
  async renew() {
    this.#value = await this.#given();
    return this.#value;
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
