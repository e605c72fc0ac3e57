/** @import { Frame } from "types/events" */

/** Frames of one type that come close together, handed on as one array: at most each `ms`. */
export class Batch {
  #type;
  #ms;
  #told;
  /** @type {Frame[]} */
  #waiting = [];

  /**
   * @param {{ type: string, ms: number }} which
   * @param {(frames: Frame[]) => void} told
   */
  constructor({ type, ms }, told) {
    this.#type = type;
    this.#ms = ms;
    this.#told = told;
  }

  /**
   * Whether it is one of them.
   * @param {Frame} frame
   */
  take(frame) {
    if (frame.type !== this.#type) return false;
    if (this.#waiting.push(frame) === 1) setTimeout(() => this.#told(this.#waiting.splice(0)), this.#ms);
    return true;
  }
}
