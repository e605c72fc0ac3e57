/** @import { Frame, Message } from "types/events" */

/** @typedef {string | null} Value */
/** @typedef {() => Value | Promise<Value>} Source */

/** How long before its expiry a token is renewed. With less than twice this left, it is renewed after half of what is left. */
const EARLY_MS = 60_000;
/** The minimum wait before a renewal, also after a failed one. */
const MIN_MS = 5_000;

/** The token of a client: null (the session cookie is used), a fixed token, or a function that returns one or a promise of one. */
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

  /** Call it when the server refused the token. Returns whether to try a new token: only once until a token is accepted. */
  markRefused() {
    if (!this.isRenewable || this.#wasReplaced) return false;
    this.#value = null;
    this.#wasReplaced = true;
    return true;
  }

  /** Call it when the server accepted the token. */
  markAccepted() {
    this.#wasReplaced = false;
  }
}

/** Sends a new token before the old one expires, so that the connection stays open. */
export class Renewal {
  #token;
  #send;
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {Token} token
   * @param {(message: Message) => void} send sends the message if there is a connection
   */
  constructor(token, send) {
    this.#token = token;
    this.#send = send;
  }

  /**
   * Schedules the renewal after a frame with `timestamp` and `expires_at`. Both are times of the server's clock, so the browser's
   * clock may be wrong.
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
