/** Changes an order by one request, all or nothing; the server refuses it if somebody else changed the order first. */
import { ApiError, get, post } from "../../../web/api.js";
import { retry } from "../../../web/retry.js";
import { signInAgain } from "./live.js";

// The server may have done it although the answer was lost. By the version it is not done twice.
const OFFLINE = () => gettext("No connection. The board will show whether it was done. If not, please try again.");
const GONE = () => ({
  driver: gettext("This driver is no longer available. Please choose another."),
  route: gettext("This route no longer exists. Please choose another."),
});
const FAILED = () => gettext("The server could not do that. The board shows the current state.");

export class Actions {
  #store;
  #toasts;
  #card;
  #outdated;

  /** `card(id)`: the element that is busy meanwhile. `outdated()`: drivers or routes have changed. */
  constructor(store, toasts, { card, outdated }) {
    this.#store = store;
    this.#toasts = toasts;
    this.#card = card;
    this.#outdated = outdated;
  }

  /** `order`: as the clerk saw it when deciding. Shows the outcome, also a refusal. */
  async change(order, changes) {
    this.#card(order.id)?.setAttribute("aria-busy", "true");
    try {
      const change = { ids: [order.id], versions: { [order.id]: order.version }, ...changes };
      const { failed } = await post("orders/bulk-update/", change);
      for (const refusal of failed) this.#refused(order, refusal);
      // It is done: the order is read until there is an answer.
      await retry(() => this.read(order.id), signInAgain);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#broke(order, error);
    } finally {
      this.#card(order.id)?.removeAttribute("aria-busy");
    }
  }

  /** Reads the order anew. */
  async read(id) {
    this.#store.read(await get(`orders/${id}/`));
  }

  #refused({ id, order_number: number }, { code, detail }) {
    const isLate = code === "version_conflict";
    const title = isLate ? gettext("Changed by someone else") : gettext("Not possible");
    this.#toasts.show({
      title: `${title}: ${number}`,
      message: isLate ? gettext("You now see the new state. Nothing was overwritten.") : detail,
      severity: "warning",
      action: { type: "order", order_id: id },
    });
  }

  #broke({ id, order_number: number }, error) {
    if (error.status === 401) return signInAgain(error);
    const gone = error.errors
      .filter(({ code }) => code === "does_not_exist")
      .map(({ attr }) => GONE()[attr])
      .join(" ");
    const message = gone || (error.code === "offline" ? OFFLINE() : error.message || FAILED());
    this.#toasts.show({ title: number, message, severity: "error", action: { type: "order", order_id: id } });
    if (gone) this.#outdated();
  }
}
