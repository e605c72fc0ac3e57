/** A field for a signature by finger. */

const INK = "#111";
const GROUND = "#fff";
const WIDTH = 4;

/** `blob()` resolves with a PNG, or null without a signature. */
export class Signature {
  #canvas;
  #pen;
  #isEmpty = true;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#draw(event));
    this.clear();
  }

  clear() {
    this.#pen.fillStyle = GROUND;
    this.#pen.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#pen.strokeStyle = INK;
    this.#pen.lineWidth = WIDTH;
    this.#pen.lineCap = this.#pen.lineJoin = "round";
    this.#isEmpty = true;
  }

  /** @returns {Promise<Blob | null>} */
  async blob() {
    return this.#isEmpty ? null : new Promise((resolve) => this.#canvas.toBlob(resolve, "image/png"));
  }

  /**
   * The pointer's position in pixels of the canvas, which is displayed at another size.
   * @param {PointerEvent} event
   * @returns {[number, number]}
   */
  #at({ clientX, clientY }) {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    return [((clientX - left) * this.#canvas.width) / width, ((clientY - top) * this.#canvas.height) / height];
  }

  /** @param {PointerEvent} event */
  #begin(event) {
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pen.beginPath();
    this.#pen.moveTo(...this.#at(event));
  }

  /** @param {PointerEvent} event */
  #draw(event) {
    if (!this.#canvas.hasPointerCapture(event.pointerId)) return;
    this.#pen.lineTo(...this.#at(event));
    this.#pen.stroke();
    this.#isEmpty = false;
  }
}
