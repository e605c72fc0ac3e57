/** Toasts for new, urgent and failed orders, and for SMS that did not arrive. */

/** Events of one kind within this time share one toast. */
const GATHER_MS = 400;

const KINDS = {
  created: {
    severity: "info",
    one: () => gettext("New order"),
    many: (count) => interpolate(ngettext("%s new order", "%s new orders", count), [count]),
  },
  urgent: {
    severity: "warning",
    one: () => gettext("Urgent order"),
    many: (count) => interpolate(ngettext("%s urgent order", "%s urgent orders", count), [count]),
  },
  failed: {
    severity: "error",
    one: () => gettext("Delivery failed"),
    many: (count) => interpolate(ngettext("%s failed delivery", "%s failed deliveries", count), [count]),
  },
  sms: {
    severity: "error",
    one: () => gettext("An SMS was not delivered"),
    many: (count) => interpolate(ngettext("%s SMS was not delivered", "%s SMS were not delivered", count), [count]),
  },
};

export class News {
  #toasts;
  #store;
  #waiting = new Map();

  constructor(toasts, store) {
    this.#toasts = toasts;
    this.#store = store;
  }

  /** Shows a toast after GATHER_MS. `kind`: a key of KINDS. `id`: the order, or null for an SMS without one. */
  add(kind, id, reason = "") {
    if (!this.#waiting.has(kind)) {
      this.#waiting.set(kind, new Map());
      setTimeout(() => this.#show(kind), GATHER_MS);
    }
    this.#waiting.get(kind).set(id, reason);
  }

  #show(kind) {
    const orders = this.#waiting.get(kind);
    this.#waiting.delete(kind);
    const { severity, one, many } = KINDS[kind];
    if (orders.size > 1) return this.#toasts.show({ title: many(orders.size), severity });
    const [[id, reason]] = orders;
    const order = this.#store.get(id);
    const message = [order?.order_number, order?.customer_name, order?.delivery_address, reason]
      .filter(Boolean)
      .join(" ");
    this.#toasts.show({ title: one(), message, severity, action: id ? { type: "order", order_id: id } : null });
  }
}
