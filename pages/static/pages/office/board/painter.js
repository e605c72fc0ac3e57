/** Draws changed orders in animation frames. After BUDGET_MS the rest waits for the next frame. */

const BUDGET_MS = 8;

export class Painter {
  #waiting = new Set();
  #frame = 0;
  #draw;
  #drawn;

  /** Calls `draw(id)` for each order, and `drawn(isDone)` after each frame; `isDone` is true if no order waits. */
  constructor(draw, drawn) {
    this.#draw = draw;
    this.#drawn = drawn;
  }

  add = (id) => {
    this.#waiting.add(id);
    this.#frame ||= requestAnimationFrame(this.#paint);
  };

  #paint = () => {
    const end = performance.now() + BUDGET_MS;
    for (const id of this.#waiting) {
      this.#waiting.delete(id);
      this.#draw(id);
      if (performance.now() > end) break;
    }
    this.#frame = this.#waiting.size ? requestAnimationFrame(this.#paint) : 0;
    this.#drawn(!this.#frame);
  };
}
