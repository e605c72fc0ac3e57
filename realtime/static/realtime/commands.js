/** @import { Frame, Message, Refused } from "types/events" */
import { newRef } from "./ref.js";

/** Maximum number of commands that wait for an answer. The server accepts bursts of 40 messages. */
const MAX_WAITING = 32;
/** The wait before a command is retried after a temporary error. */
export const RETRY_MS = 2_000;
/** The codes of temporary errors: the server did nothing, or it recognises the retry by its `ref`. */
export const RETRYABLE = new Set(["rate_limited", "row_locked", "busy"]);
/** The types of messages that the server answers with an `ack`. */
const ANSWERED = new Set(["order_update", "delivery.confirmed"]);

/** The error of `send()`. `code` comes from the server, or is `closed`, `no_socket` or `too_many`. */
export class CommandError extends Error {
  name = "CommandError";
  code;
  frame;

  /**
   * @param {string} code
   * @param {Refused | null} frame the server's `error` frame; null if the server sent none
   */
  constructor(code, frame = null) {
    super(frame?.detail ?? code);
    this.code = code;
    this.frame = frame;
  }
}

/** @typedef {Message & { ref: string }} Command */
/** @typedef {(message: Command) => void} Write */

/**
 * @typedef {object} Waiting
 * @property {Command} message
 * @property {Write} write
 * @property {Promise<Frame>} promise
 * @property {(frame: Frame) => void} resolve
 * @property {(error: CommandError) => void} reject
 */

/**
 * Messages with a `ref` that are not answered yet. If the connection closes, the client cannot know whether the server executed
 * them. So it sends each of them again; the same `ref` makes them idempotent.
 */
export class Commands {
  /** @type {Map<string, Waiting>} */
  #waiting = new Map();

  /** @param {Message} message */
  static expectsAnswer(message) {
    return message.ref !== undefined || ANSWERED.has(message.type);
  }

  /**
   * Gives the message a `ref`, if it has none, and sends it. Returns a promise of its answer, which rejects with a CommandError. A
   * waiting message with the same `ref` is not sent twice. `write` sends a message if the connection is open.
   * @param {Message} message
   * @param {Write} write
   */
  add(message, write) {
    const whole = { ...message, ref: message.ref ?? newRef() };
    const same = this.#waiting.get(whole.ref);
    if (same) return same.promise;
    if (this.#waiting.size >= MAX_WAITING) return Promise.reject(new CommandError("too_many"));
    /** @type {Pick<Waiting, "resolve" | "reject">} */
    let outcome = { resolve() {}, reject() {} };
    /** @type {Promise<Frame>} */
    const promise = new Promise((resolve, reject) => {
      outcome = { resolve, reject };
    });
    this.#waiting.set(whole.ref, { message: whole, write, promise, ...outcome });
    write(whole);
    return promise;
  }

  /**
   * Settles the command that an `ack` or `error` answers. After a temporary error, sends it again after RETRY_MS.
   * @param {Extract<Frame, { type: "ack" | "error" }>} frame
   */
  settle(frame) {
    const { ref = "" } = frame;
    const entry = this.#waiting.get(ref);
    if (!entry) return;
    if (frame.type === "error" && RETRYABLE.has(frame.code)) {
      setTimeout(() => this.#waiting.has(ref) && entry.write(entry.message), RETRY_MS);
      return;
    }
    this.#waiting.delete(ref);
    if (frame.type === "error") entry.reject(new CommandError(frame.code, frame));
    else entry.resolve(frame);
  }

  /** @param {Write} write */
  resend(write) {
    for (const { message } of [...this.#waiting.values()]) write(message);
  }

  /** @param {string} code */
  fail(code) {
    for (const { reject } of this.#waiting.values()) reject(new CommandError(code));
    this.#waiting.clear();
  }
}
