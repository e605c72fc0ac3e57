/** Changes an order in one atomic request. The server refuses it if somebody else changed the order first. */
import { ApiError, get, post } from "../../../web/api.js";
import { retry } from "../../../web/retry.js";
import { signInAgain } from "./live.js";

// The server may have made the change although the response was lost. The version in the request prevents a second change.
const UNANSWERED = () =>
  gettext("The site does not respond. The board will show whether the change was made. If not, please make it again.");
const GONE = () => ({
  driver: gettext("This driver was deactivated. Please choose another."),
  route: gettext("This route no longer exists. Please choose another."),
});

export class Actions {
  #store;
  #toasts;
  #card;
  #onOutdated;

  /**
   * `card(id)` returns the card of an order, which is marked as busy during a change. `onOutdated()` is called if the server says
   * that the chosen driver or route no longer exists.
   */
  constructor(store, toasts, { card, onOutdated }) {
    this.#store = store;
    this.#toasts = toasts;
    this.#card = card;
    this.#onOutdated = onOutdated;
  }

  /**
   * Requests `changes` (fields of `orders/bulk-update/`), and reads the order again. `order` is the row that the clerk saw, with its
   * version. Shows refusals and errors as toasts.
   */
  async change(order, changes) {
    this.#card(order.id)?.setAttribute("aria-busy", "true");
    try {
      const change = { ids: [order.id], versions: { [order.id]: order.version }, ...changes };
      const { failed } = await post("orders/bulk-update/", change);
      for (const refusal of failed) this.#showRefusal(order, refusal);
      // The server has made or refused the change. Reads the order, with retries until the server answers.
      await retry(() => this.read(order.id), signInAgain);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#showError(order, error);
    } finally {
      this.#card(order.id)?.removeAttribute("aria-busy");
    }
  }

  /** Reads the order from the server into the store. */
  async read(id) {
    this.#store.read(await get(`orders/${id}/`));
  }

  #showRefusal({ id, order_number: number }, { code, detail }) {
    const isConflict = code === "version_conflict";
    const title = isConflict ? gettext("Changed in the meantime") : gettext("Not possible");
    this.#toasts.show({
      title: `${title}: ${number}`,
      message: isConflict
        ? gettext("You now see the current state. If your change is still needed, please make it again.")
        : detail,
      severity: "warning",
      action: { type: "order", order_id: id },
    });
  }

  #showError({ id, order_number: number }, error) {
    if (error.status === 401) return signInAgain(error);
    const gone = error.errors
      .filter(({ code }) => code === "does_not_exist")
      .map(({ attr }) => GONE()[attr])
      .join(" ");
    const message = gone || error.message || UNANSWERED();
    this.#toasts.show({ title: number, message, severity: "error", action: { type: "order", order_id: id } });
    if (gone) this.#onOutdated();
  }
}
