/**
 * What a page shows of its socket. Both take it as `element.socket = socket` and their words from data attributes,
 * see templates/realtime/.
 */

/** @import { Notice, SocketState } from "types/events" */
/** @import { LuckyGasSocket } from "./client.js" */
import { element } from "../web/page.js";
import { ago } from "../web/time.js";

const AGE_MS = 5_000;
/** A glance; what is a warning stays until it is put away. */
const SHOWN_MS = 10_000;
const MOST_TOASTS = 5;
const SEVERITIES = ["info", "success", "warning", "error"];
const STAYS = ["warning", "error"];
/** @type {("notification" | "system.message" | "maintenance.alert")[]} */
const TOLD = ["notification", "system.message", "maintenance.alert"];

/** The state in a word (`data-live`, `data-offline`, …); while it is not live, also how old what is shown is. */
export class ConnectionStatus extends HTMLElement {
  /** @type {LuckyGasSocket | null} */
  #socket = null;
  #word = element("span", "", "word");
  #age = element("span", "", "age");
  /** @type {number | undefined} */
  #timer;

  /** @param {LuckyGasSocket} socket */
  set socket(socket) {
    this.#socket?.off("state", this.#show);
    this.#socket = socket;
    socket.on("state", this.#show);
    this.#show();
  }

  connectedCallback() {
    // The word alone is spoken: an age that counts up would never be silent.
    this.#word.setAttribute("role", "status");
    this.#word.setAttribute("aria-live", "polite");
    this.replaceChildren(this.#word, " ", this.#age);
    this.#timer = setInterval(this.#show, AGE_MS);
    this.#show();
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
  }

  #show = () => {
    /** @type {{ state: SocketState, heardAt: number | null }} */
    const { state, heardAt } = this.#socket ?? { state: "connecting", heardAt: null };
    const word = this.dataset[state] ?? state;
    this.dataset.state = state;
    if (this.#word.textContent !== word) this.#word.textContent = word;
    const old = ["live", "polling", "reloading"].includes(state) ? null : heardAt;
    this.#age.textContent = old === null ? "" : (this.dataset.age ?? "%s").replace("%s", ago(Date.now() - old));
  };
}

/** Messages for people, the newest last. Words: `data-open`, `data-dismiss`; `data-order-url` with `{id}` in it. */
export class NotificationToasts extends HTMLElement {
  /** @type {LuckyGasSocket | null} */
  #socket = null;
  /** @param {{ data: Notice }} frame */
  #told = (frame) => this.show(frame.data);

  /** @param {LuckyGasSocket} socket */
  set socket(socket) {
    for (const type of TOLD) {
      this.#socket?.off(type, this.#told);
      socket.on(type, this.#told);
    }
    this.#socket = socket;
  }

  connectedCallback() {
    this.setAttribute("role", "region");
    this.setAttribute("aria-live", "polite");
  }

  /** @param {Notice} notice */
  show({ title = "", message = "", severity = "info", action = null }) {
    const kind = SEVERITIES.includes(severity) ? severity : "info";
    const toast = element("div", "", `toast ${kind}`);
    if (title) toast.append(element("strong", title, "title"));
    toast.append(element("p", message, "text"), ...this.#link(action), this.#button(toast));
    this.append(toast);
    while (this.children.length > MOST_TOASTS) this.firstElementChild?.remove();
    if (!STAYS.includes(kind)) this.#leave(toast);
  }

  /** @param {Notice["action"]} action */
  #link(action) {
    const pattern = this.dataset.orderUrl;
    if (!pattern || !action || !Number.isSafeInteger(action.order_id)) return [];
    const link = element("a", this.dataset.open ?? "", "action");
    link.href = pattern.replace("{id}", String(action.order_id));
    return [link];
  }

  /** @param {HTMLElement} toast */
  #button(toast) {
    const button = element("button", "×", "dismiss");
    button.type = "button";
    button.setAttribute("aria-label", this.dataset.dismiss ?? "×");
    button.addEventListener("click", () => toast.remove());
    return button;
  }

  /**
   * In a while, unless someone is about to use it (WCAG 2.2.1).
   * @param {HTMLElement} toast
   */
  #leave(toast) {
    setTimeout(() => {
      if (toast.matches(":hover, :focus-within")) this.#leave(toast);
      else toast.remove();
    }, SHOWN_MS);
  }
}

customElements.define("connection-status", ConnectionStatus);
customElements.define("notification-toasts", NotificationToasts);
