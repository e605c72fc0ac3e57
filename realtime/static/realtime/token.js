/** @import { Frame, Message } from "types/events" */

/** @typedef {string | null} Value */
/** @typedef {() => Value | Promise<Value>} Source */

/** A token is renewed this long before it expires; one that lives less than twice as long, at half its life. */
const EARLY_MS = 60_000;
/** A source that failed, or that gave an expired token, is not asked more often. */
const LEAST_MS = 5_000;

/** The token of a client: none (the session serves), a fixed one, or a function that gives or promises one. */
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

  /** A fresh one, before the old one expires. */
  async renew() {
    this.#value = null;
    return this.value();
  }

  /** The server refused it. True, once in a row, if there may be a fresh one. */
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

/** Keeps a link open past the end of its token: sends a fresh one in time. */
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
   * Looks at every frame of the server for when the token expires. Both times are the server's.
   * @param {Frame} frame
   */
  receive(frame) {
    if (frame.type !== "connection" && frame.type !== "authenticated") return;
    this.stop();
    const { timestamp, expires_at: end } = frame;
    if (!end || !this.#token.isRenewable) return;
    const left = Date.parse(end) - Date.parse(timestamp);
    this.#timer = setTimeout(() => this.#renew(), Math.max(left - EARLY_MS, left / 2, LEAST_MS));
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #renew() {
    const timer = this.#timer;
    const token = await this.#token.renew().catch(() => null);
    if (timer !== this.#timer) return;
    if (token === null) this.#timer = setTimeout(() => this.#renew(), LEAST_MS);
    else this.#send({ type: "authenticate", token });
  }
}
