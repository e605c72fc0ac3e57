import { newRef } from "./ref.js";

/** What may wait for an answer; the server takes bursts of 40 messages. */
const MOST_WAITING = 32;
/** When to repeat what the server could not do now. */
export const RATE_MS = 2_000;
/** Too much at once, a row that somebody else holds, a database that is away: nothing was done. */
export const LATER = new Set(["rate_limited", "row_locked", "busy"]);
/** Messages the server answers with an `ack`. */
const ANSWERED = new Set(["order_update", "delivery.confirmed"]);

/** What a promise of `send()` is rejected with: `code` is the server's, or `closed`, `no_socket`, `too_many`. */
export class CommandError extends Error {
  constructor(code, detail = code, frame = null) {
    super(detail);
    this.name = "CommandError";
    this.code = code;
    this.frame = frame;
  }
}

/**
 * Messages with a `ref`, until they are answered. A link that fell leaves open whether the server did it: the same
 * message with the same `ref` is sent again, which does nothing twice.
 */
export class Commands {
  #waiting = new Map();

  static wants(message) {
    return message.ref !== undefined || ANSWERED.has(message.type);
  }

  /** The promise of an answer to `message`, which `write` puts on the link if there is one. */
  add(message, write) {
    const whole = { ...message, ref: message.ref ?? newRef() };
    const same = this.#waiting.get(whole.ref);
    if (same) return same.promise;
    if (this.#waiting.size >= MOST_WAITING) return Promise.reject(new CommandError("too_many"));
    const entry = { message: whole, write };
    entry.promise = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
    this.#waiting.set(whole.ref, entry);
    write(whole);
    return entry.promise;
  }

  /** Takes an `ack` or `error` to whom it is for; what could not be done now is said again a little later. */
  settle(frame) {
    const entry = this.#waiting.get(frame.ref);
    if (!entry) return;
    if (LATER.has(frame.code)) {
      setTimeout(() => this.#waiting.has(frame.ref) && entry.write(entry.message), RATE_MS);
      return;
    }
    this.#waiting.delete(frame.ref);
    if (frame.type === "error") entry.reject(new CommandError(frame.code, frame.detail, frame));
    else entry.resolve(frame);
  }

  again(write) {
    for (const { message } of [...this.#waiting.values()]) write(message);
  }

  fail(code) {
    for (const { reject } of this.#waiting.values()) reject(new CommandError(code));
    this.#waiting.clear();
  }
}
