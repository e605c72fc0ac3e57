/** @import { Frame, Message } from "types/events" */

/** @typedef {string | null} Value */
/** @typedef {() => Value | Promise<Value>} Source */

/** A token is renewed this long before it expires, or at half its lifetime if that is shorter than twice this. */
const EARLY_MS = 60_000;
/** The shortest wait between renewals, after a failure or an expired token. */
const MIN_MS = 5_000;

/** The token of a client: none (the session cookie is used), a fixed one, or a function that returns one or a promise. */
export class Token {
  #source;
  /** @type {Value} */
  #value = null;
  #wasReplaced = false;

  /** @param {Value | Source} source */
  constructor(source) {
    this.#source = source;
  }

  async value() {
    if (typeof this.#source !== "function") return this.#source;
    this.#value ??= await this.#source();
    return this.#value;
  }

  get isRenewable() {
    return typeof this.#source === "function";
  }

  /** Gets a new token from the source. */
  async renew() {
    this.#value = null;
    return this.value();
  }

  /** Call it when the server refused the token. True if a new one is worth trying, which is once in a row. */
  refused() {
    if (!this.isRenewable || this.#wasReplaced) return false;
    this.#value = null;
    this.#wasReplaced = true;
    return true;
  }

  accepted() {
    this.#wasReplaced = false;
  }
}

/** Sends a new token before the old one expires, so that the link stays open. */
export class Renewal {
  #token;
  #send;
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {Token} token
   * @param {(message: Message) => void} send sends it, if there is a link
   */
  constructor(token, send) {
    this.#token = token;
    this.#send = send;
  }

  /**
   * Reads the token's expiry from the server's frames and schedules the renewal. Both times are from the server's clock.
   * @param {Frame} frame
   */
  receive(frame) {
    if (frame.type !== "connection" && frame.type !== "authenticated") return;
    this.stop();
    const { timestamp, expires_at: end } = frame;
    if (!end || !this.#token.isRenewable) return;
    const left = Date.parse(end) - Date.parse(timestamp);
    this.#timer = setTimeout(() => this.#renew(), Math.max(left - EARLY_MS, left / 2, MIN_MS));
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #renew() {
    const timer = this.#timer;
    const token = await this.#token.renew().catch(() => null);
    if (timer !== this.#timer) return;
    if (token === null) this.#timer = setTimeout(() => this.#renew(), MIN_MS);
    else this.#send({ type: "authenticate", token });
  }
}
