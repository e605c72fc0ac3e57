/** @import { Connected, Frame, Message } from "types/events" */

/** The server greets within this, and answers a heartbeat within this; else the link is dead. */
export const ANSWER_MS = 10_000;
/** The code of a link that fell without a word (RFC 6455, 7.4.1). */
export const LOST = 1006;

/** @typedef {{ code: number, welcomed: boolean, heldMs: number }} Fall */

/**
 * One WebSocket, until it falls: which it does once, for whatever reason, and then says so to `fallen` with
 * `{code, welcomed, heldMs}`. `welcomed`: the server greeted.
 */
export class Link {
  welcomed = false;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {((fall: Fall) => void) | null} */
  #fallen;
  #received;
  #sent;
  /** @type {number | null} */
  #deadline = null;
  /** @type {number | undefined} */
  #pulse;
  #interval = 0;
  #beatAt = 0;
  #since = performance.now();

  /**
   * @param {URL} address
   * @param {{ received: (frame: Frame) => void, sent: (message: Message) => void, fallen: (fall: Fall) => void }} client
   */
  constructor(address, { received, sent, fallen }) {
    this.#received = received;
    this.#sent = sent;
    this.#fallen = fallen;
    this.#deadline = setTimeout(() => this.fall(LOST), ANSWER_MS);
    try {
      this.#socket = new WebSocket(address);
    } catch {
      // Some filters and policies make the constructor throw; the caller is not ready for the news yet.
      queueMicrotask(() => this.fall(LOST));
      return;
    }
    this.#socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    this.#socket.onclose = ({ code }) => this.fall(code);
  }

  /** @param {Message} message */
  send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return this.fall(LOST);
    this.#socket.send(JSON.stringify(message));
    this.#sent(message);
  }

  /** Asks for a sign of life. */
  beat() {
    if (!this.welcomed) return;
    this.#beatAt = performance.now();
    this.#deadline ??= setTimeout(() => this.fall(LOST), ANSWER_MS);
    this.send({ type: "heartbeat" });
  }

  /** @param {Frame} frame */
  #receive(frame) {
    if (frame.type === "connection") this.#greeted(frame);
    if (this.welcomed) this.#alive();
    this.#received(frame);
  }

  /** @param {Connected} frame */
  #greeted({ heartbeat_interval: seconds }) {
    this.welcomed = true;
    this.#since = performance.now();
    this.#interval = (seconds > 0 ? seconds : 30) * 1000;
    this.#beatAt = performance.now();
    this.#pulse = setInterval(() => this.beat(), this.#interval);
  }

  #alive() {
    clearTimeout(this.#deadline ?? undefined);
    this.#deadline = null;
    // Browsers slow the timers of hidden tabs down to one a minute; frames still come on time.
    if (performance.now() - this.#beatAt > this.#interval) this.beat();
  }

  /** Ends it without a word to anyone. */
  abandon() {
    this.#fallen = () => {};
    this.fall(LOST);
  }

  /** @param {number} code */
  fall(code) {
    if (this.#fallen === null) return;
    const fallen = this.#fallen;
    this.#fallen = null;
    this.#received = () => {};
    clearTimeout(this.#deadline ?? undefined);
    clearInterval(this.#pulse);
    this.#socket?.close();
    fallen({ code, welcomed: this.welcomed, heldMs: this.welcomed ? performance.now() - this.#since : 0 });
  }
}
