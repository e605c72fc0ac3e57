/** @import { Frame, Message } from "types/events" */
/** @import { Token } from "./token.js" */

/** A token is renewed this long before it ends; one that lives less than twice as long, at half its life. */
const EARLY_MS = 60_000;
/** Whoever gives tokens and has none, or gives an old one, is not asked more often. */
const LEAST_MS = 5_000;

/** Keeps a link open past the end of its token: it says a fresh one in time. */
export class Renewal {
  #token;
  #say;
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {Token} token
   * @param {(message: Message) => void} say sends it, if there is a link
   */
  constructor(token, say) {
    this.#token = token;
    this.#say = say;
  }

  /**
   * Every frame of the server; those that say when the token ends count. Both times are the server's.
   * @param {Frame} frame
   */
  heard(frame) {
    if (frame.type !== "connection" && frame.type !== "authenticated") return;
    this.stop();
    const { timestamp, expires_at: end } = frame;
    if (!end || !this.#token.renewable) return;
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
    else this.#say({ type: "authenticate", token });
  }
}
