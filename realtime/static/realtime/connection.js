/** @import { Connected, Frame, Message } from "types/events" */

/** The connection is dead if the connection frame, or any frame after a heartbeat, takes longer than this. */
export const ANSWER_MS = 10_000;

/** Close codes. LOST means a broken connection (RFC 6455, 7.4.1); the others are the server's (docs/realtime.md). */
export const LOST = 1006;
export const UNAUTHENTICATED = 4401;
export const FORBIDDEN = 4403;
export const TOO_MANY_CONNECTIONS = 4409;
/** Daphne cannot send 1012 and 1013, and sends 4012 and 4013 instead. */
export const RESTART = [1012, 4012];
export const SWITCHED_OFF = [1013, 4013];

/** @typedef {{ code: number, wasAccepted: boolean, openMs: number }} Closed */

/**
 * One WebSocket connection. Calls `onClose` once, whichever side closes it. `wasAccepted`: whether the connection frame came;
 * `openMs`: the milliseconds between that frame and the close, 0 without it.
 */
export class Connection {
  #wasAccepted = false;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {((closed: Closed) => void) | null} */
  #onClose;
  #onFrame;
  #onSend;
  /** @type {number | undefined} */
  #deadline;
  /** @type {number | undefined} */
  #heartbeatTimer;
  #intervalMs = 0;
  #pingedAt = 0;
  #acceptedAt = 0;

  /**
   * @param {URL} url
   * @param {{ onFrame: (frame: Frame) => void, onSend: (message: Message) => void, onClose: (closed: Closed) => void }} client
   */
  constructor(url, { onFrame, onSend, onClose }) {
    this.#onFrame = onFrame;
    this.#onSend = onSend;
    this.#onClose = onClose;
    this.#deadline = setTimeout(() => this.close(LOST), ANSWER_MS);
    try {
      this.#socket = new WebSocket(url);
    } catch {
      // Some filters and policies make the constructor throw. `onClose` must wait: the caller has no reference to this object yet.
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
    this.#onSend(message);
  }

  /** Sends a heartbeat, if the connection frame has come. The connection closes if no frame follows within ANSWER_MS. */
  ping() {
    if (!this.#wasAccepted) return;
    this.#pingedAt = performance.now();
    this.#deadline ??= setTimeout(() => this.close(LOST), ANSWER_MS);
    this.send({ type: "heartbeat" });
  }

  /** @param {Frame} frame */
  #receive(frame) {
    if (frame.type === "connection") this.#accept(frame);
    if (this.#wasAccepted) this.#confirmAlive();
    this.#onFrame(frame);
  }

  /** @param {Connected} frame */
  #accept({ heartbeat_interval: seconds }) {
    this.#wasAccepted = true;
    this.#intervalMs = (seconds > 0 ? seconds : 30) * 1000;
    this.#acceptedAt = this.#pingedAt = performance.now();
    this.#heartbeatTimer = setInterval(() => this.ping(), this.#intervalMs);
  }

  #confirmAlive() {
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
    // Browsers slow the timers of hidden tabs down to one call per minute, but frames arrive on time.
    if (performance.now() - this.#pingedAt > this.#intervalMs) this.ping();
  }

  /** Closes the connection without calling `onClose`. */
  abandon() {
    this.#onClose = () => {};
    this.close(LOST);
  }

  /** @param {number} code */
  close(code) {
    if (this.#onClose === null) return;
    const onClose = this.#onClose;
    this.#onClose = null;
    this.#onFrame = () => {};
    clearTimeout(this.#deadline);
    clearInterval(this.#heartbeatTimer);
    this.#socket?.close();
    onClose({
      code,
      wasAccepted: this.#wasAccepted,
      openMs: this.#wasAccepted ? performance.now() - this.#acceptedAt : 0,
    });
  }
}
