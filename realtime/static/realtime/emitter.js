/** Handlers by name. One that fails is reported, as an uncaught error is, and keeps nothing from the others. */
export class Emitter {
  #handlers = new Map();

  on(name, handler) {
    if (!this.#handlers.has(name)) this.#handlers.set(name, new Set());
    this.#handlers.get(name).add(handler);
    return this;
  }

  off(name, handler) {
    this.#handlers.get(name)?.delete(handler);
    return this;
  }

  emit(name, value) {
    for (const handler of [...(this.#handlers.get(name) ?? [])]) {
      try {
        handler(value, name);
      } catch (error) {
        reportError(error);
      }
    }
  }
}
