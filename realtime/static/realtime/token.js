/** The token of a client: none (the session serves), one, or a function that gives one, promised or at once. */
export class Token {
  #given;
  #value = null;
  #renewed = false;

  constructor(given) {
    this.#given = given;
  }

  async value() {
    if (typeof this.#given !== "function") return this.#given;
    this.#value ??= await this.#given();
    return this.#value;
  }

  /** The server refused it. True, once in a row, if there may be a fresh one. */
  refused() {
    if (typeof this.#given !== "function" || this.#renewed) return false;
    this.#value = null;
    this.#renewed = true;
    return true;
  }

  accepted() {
    this.#renewed = false;
  }
}
