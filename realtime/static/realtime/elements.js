/**
 * What a page shows of its socket. Both take it as `element.socket = socket` and their words from data attributes,
 * see templates/realtime/.
 */

const AGE_MS = 5_000;
/** A glance; what is a warning stays until it is put away. */
const SHOWN_MS = 10_000;
const MOST_TOASTS = 5;
const SEVERITIES = ["info", "success", "warning", "error"];
const STAYS = ["warning", "error"];
const TOLD = ["notification", "system.message", "maintenance.alert"];
const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

function make(name, className, text = "") {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}

/** “3 minutes ago”, in the language of the page. */
export function ago(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? UNITS.at(-1);
  const language = document.documentElement.lang || undefined;
  return new Intl.RelativeTimeFormat(language).format(-Math.floor(seconds / size), unit);
}

/** The state in a word (`data-live`, `data-offline`, …); while it is not live, also how old what is shown is. */
export class ConnectionStatus extends HTMLElement {
  #socket = null;
  #word = make("span", "word");
  #age = make("span", "age");
  #timer = null;

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
    const { state = "connecting", heardAt = null } = this.#socket ?? {};
    const word = this.dataset[state] ?? state;
    this.dataset.state = state;
    if (this.#word.textContent !== word) this.#word.textContent = word;
    const isOld = heardAt !== null && !["live", "polling", "reloading"].includes(state);
    this.#age.textContent = isOld ? (this.dataset.age ?? "%s").replace("%s", ago(Date.now() - heardAt)) : "";
  };
}

/** Messages for people, the newest last. Words: `data-open`, `data-dismiss`; `data-order-url` with `{id}` in it. */
export class NotificationToasts extends HTMLElement {
  #socket = null;
  #told = (frame) => this.show(frame.data);

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

  show({ title = "", message = "", severity = "info", action = null }) {
    const kind = SEVERITIES.includes(severity) ? severity : "info";
    const toast = make("div", `toast ${kind}`);
    if (title) toast.append(make("strong", "title", title));
    toast.append(make("p", "text", message), ...this.#link(action), this.#button(toast));
    this.append(toast);
    while (this.children.length > MOST_TOASTS) this.firstElementChild.remove();
    if (!STAYS.includes(kind)) this.#leave(toast);
  }

  #link(action) {
    const pattern = this.dataset.orderUrl;
    if (!pattern || !Number.isSafeInteger(action?.order_id)) return [];
    const link = make("a", "action", this.dataset.open);
    link.href = pattern.replace("{id}", action.order_id);
    return [link];
  }

  #button(toast) {
    const button = make("button", "dismiss", "×");
    button.type = "button";
    button.setAttribute("aria-label", this.dataset.dismiss ?? "×");
    button.addEventListener("click", () => toast.remove());
    return button;
  }

  /** In a while, unless someone is about to use it (WCAG 2.2.1). */
  #leave(toast) {
    setTimeout(() => {
      if (toast.matches(":hover, :focus-within")) this.#leave(toast);
      else toast.remove();
    }, SHOWN_MS);
  }
}

customElements.define("connection-status", ConnectionStatus);
customElements.define("notification-toasts", NotificationToasts);
