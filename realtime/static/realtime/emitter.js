/**
 * Calls handlers by event name. An error in a handler is reported as uncaught, and the other handlers still run.
 * @template Events the value type of each event name
 */
export class Emitter {
  /** @type {{ [Name in keyof Events]?: Set<(value: Events[Name]) => void> }} */
  #handlers = {};

  /**
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {(value: Events[Name]) => void} handler
   */
  on(name, handler) {
    this.#handlers[name] ??= new Set();
    this.#handlers[name].add(handler);
    return this;
  }

  /**
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {(value: Events[Name]) => void} handler
   */
  off(name, handler) {
    this.#handlers[name]?.delete(handler);
    return this;
  }

  /**
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {Events[Name] extends undefined ? [] : [Events[Name]]} values the value, or nothing
   */
  emit(name, ...values) {
    const value = /** @type {Events[Name]} */ (values[0]);
    for (const handler of [...(this.#handlers[name] ?? [])]) {
      try {
        handler(value);
      } catch (error) {
        reportError(error);
      }
    }
  }
}
