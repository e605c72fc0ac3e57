/** @import { Connected, Frame, Message } from "types/events" */

/** The link is dead if the first frame, or the answer to a heartbeat, takes longer than this. */
export const ANSWER_MS = 10_000;

/** Close codes. LOST means a broken link (RFC 6455, 7.4.1); the others are the server's (docs/realtime.md). */
export const LOST = 1006;
export const UNAUTHENTICATED = 4401;
export const FORBIDDEN = 4403;
export const TOO_MANY_CONNECTIONS = 4409;
/** Daphne cannot send 1012 and 1013, and sends 4012 and 4013 instead. */
export const RESTART = [1012, 4012];
export const SWITCHED_OFF = [1013, 4013];

/** @typedef {{ code: number, wasGreeted: boolean, heldMs: number }} Closed */

/** One WebSocket. Calls `closed` once, whichever side closed it. `wasGreeted`: whether the first frame came, `heldMs` ago. */
export class Link {
  #wasGreeted = false;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {((closed: Closed) => void) | null} */
  #closed;
  #received;
  #sent;
  /** @type {number | undefined} */
  #deadline;
  /** @type {number | undefined} */
  #pulse;
  #interval = 0;
  #pingedAt = 0;
  #greetedAt = 0;

  /**
   * @param {URL} address
   * @param {{ received: (frame: Frame) => void, sent: (message: Message) => void, closed: (closed: Closed) => void }} client
   */
  constructor(address, { received, sent, closed }) {
    this.#received = received;
    this.#sent = sent;
    this.#closed = closed;
    this.#deadline = setTimeout(() => this.close(LOST), ANSWER_MS);
    try {
      this.#socket = new WebSocket(address);
    } catch {
      // Some filters and policies make the constructor throw. Deferred, because the caller has no reference to this object yet.
      queueMicrotask(() => this.close(LOST));
      return;
    }
    this.#socket.onmessage = (/** @type {MessageEvent<string>} */ { data }) => this.#receive(JSON.parse(data));
    this.#socket.onclose = ({ code }) => this.close(code);
  }

  /** @param {Message} message */
  send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return this.close(LOST);
    this.#socket.send(JSON.stringify(message));
    this.#sent(message);
  }

  /** Sends a heartbeat; the link closes if no frame follows. */
  ping() {
    if (!this.#wasGreeted) return;
    this.#pingedAt = performance.now();
    this.#deadline ??= setTimeout(() => this.close(LOST), ANSWER_MS);
    this.send({ type: "heartbeat" });
  }

  /** @param {Frame} frame */
  #receive(frame) {
    if (frame.type === "connection") this.#greeted(frame);
    if (this.#wasGreeted) this.#alive();
    this.#received(frame);
  }

  /** @param {Connected} frame */
  #greeted({ heartbeat_interval: seconds }) {
    this.#wasGreeted = true;
    this.#interval = (seconds > 0 ? seconds : 30) * 1000;
    this.#greetedAt = this.#pingedAt = performance.now();
    this.#pulse = setInterval(() => this.ping(), this.#interval);
  }

  #alive() {
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
    // Browsers slow timers of hidden tabs to one a minute, but frames arrive on time.
    if (performance.now() - this.#pingedAt > this.#interval) this.ping();
  }

  /** Closes the link without calling `closed`. */
  abandon() {
    this.#closed = () => {};
    this.close(LOST);
  }

  /** @param {number} code */
  close(code) {
    if (this.#closed === null) return;
    const closed = this.#closed;
    this.#closed = null;
    this.#received = () => {};
    clearTimeout(this.#deadline);
    clearInterval(this.#pulse);
    this.#socket?.close();
    closed({ code, wasGreeted: this.#wasGreeted, heldMs: this.#wasGreeted ? performance.now() - this.#greetedAt : 0 });
  }
}
