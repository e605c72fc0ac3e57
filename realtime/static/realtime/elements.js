/**
 * Custom elements that show the state and the messages of a socket. Assign the socket as `element.socket = socket`. The texts are
 * in data attributes (templates/realtime/).
 */

/** @import { Notice, SocketState } from "types/events" */
/** @import { LuckyGasSocket } from "./client.js" */
import { element } from "../web/page.js";
import { ago } from "../web/time.js";

const AGE_MS = 5_000;
/** How long a message is shown. Warnings and errors stay until they are dismissed, or until MAX_TOASTS newer messages came. */
const SHOWN_MS = 10_000;
const MAX_TOASTS = 5;
const SEVERITIES = ["info", "success", "warning", "error"];
const STAYS = ["warning", "error"];
/** @type {("notification" | "system.message" | "maintenance.alert")[]} */
const MESSAGES = ["notification", "system.message", "maintenance.alert"];

/** Shows the state in words (`data-live`, `data-offline`, …) and, while the page gets no updates, how old its data is. */
export class ConnectionStatus extends HTMLElement {
  /** @type {LuckyGasSocket | null} */
  #socket = null;
  #text = element("span", "", "word");
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
    // Only the state is a live region: a screen reader would announce each change of the age.
    this.#text.setAttribute("role", "status");
    this.#text.setAttribute("aria-live", "polite");
    this.replaceChildren(this.#text, " ", this.#age);
    this.#timer = setInterval(this.#show, AGE_MS);
    this.#show();
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
  }

  #show = () => {
    /** @type {{ state: SocketState, receivedAt: number | null }} */
    const { state, receivedAt } = this.#socket ?? { state: "connecting", receivedAt: null };
    const text = this.dataset[state] ?? state;
    this.dataset.state = state;
    if (this.#text.textContent !== text) this.#text.textContent = text;
    const old = ["live", "polling", "reloading"].includes(state) ? null : receivedAt;
    this.#age.textContent = old === null ? "" : (this.dataset.age ?? "%s").replace("%s", ago(Date.now() - old));
  };
}

/** Shows messages, the newest last. Texts: `data-open`, `data-dismiss`. `data-order-url` is a URL that contains `{id}`. */
export class NotificationToasts extends HTMLElement {
  /** @type {LuckyGasSocket | null} */
  #socket = null;
  /** @param {{ data: Notice }} frame */
  #receive = (frame) => this.show(frame.data);

  /** @param {LuckyGasSocket} socket */
  set socket(socket) {
    for (const type of MESSAGES) {
      this.#socket?.off(type, this.#receive);
      socket.on(type, this.#receive);
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
    while (this.children.length > MAX_TOASTS) this.firstElementChild?.remove();
    if (!STAYS.includes(kind)) this.#removeLater(toast);
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
   * Removes the toast after SHOWN_MS, but not while it has the focus or the pointer (WCAG 2.2.1).
   * @param {HTMLElement} toast
   */
  #removeLater(toast) {
    setTimeout(() => {
      if (toast.matches(":hover, :focus-within")) this.#removeLater(toast);
      else toast.remove();
    }, SHOWN_MS);
  }
}

customElements.define("connection-status", ConnectionStatus);
customElements.define("notification-toasts", NotificationToasts);
