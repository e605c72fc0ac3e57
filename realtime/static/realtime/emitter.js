/**
 * Handlers by name. One that fails is reported, as an uncaught error is, and keeps nothing from the others.
 * @template Events what the handlers of each name get
 */
export class Emitter {
  /** @type {Map<keyof Events, Set<(value: any) => void>>} */
  #handlers = new Map();

  /**
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {(value: Events[Name]) => void} handler
   */
  on(name, handler) {
    const known = this.#handlers.get(name) ?? new Set();
    this.#handlers.set(name, known.add(handler));
    return this;
  }

  /**
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {(value: Events[Name]) => void} handler
   */
  off(name, handler) {
    this.#handlers.get(name)?.delete(handler);
    return this;
  }

  /**
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {Events[Name] extends undefined ? [] : [Events[Name]]} values the one value, where there is one
   */
  emit(name, ...values) {
    for (const handler of [...(this.#handlers.get(name) ?? [])]) {
      try {
        handler(values[0]);
      } catch (error) {
        reportError(error);
      }
    }
  }
}
