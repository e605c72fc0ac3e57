/** The “Move…” dialog: replaces dragging for keyboard and touch, and asks for a reason or driver after a drop. */
import { copyTemplate, fill, find, findAll } from "../../../web/page.js";

const KINDS = ["status", "driver", "route"];

export class MoveDialog {
  #dialog;
  /** @type {any} */
  #form;
  #names;
  #targets = new Map();
  #order = null;
  #onSubmit;

  /**
   * `names(key)`: the label of a target. `onSubmit(order, changes)` is called with the order as it was
   * when the dialog opened.
   */
  constructor(dialog, { names, onSubmit }) {
    this.#dialog = dialog;
    this.#form = find("form", dialog);
    this.#names = names;
    this.#onSubmit = onSubmit;
    this.#form.addEventListener("change", this.#askForReason);
    this.#form.addEventListener("input", this.#checkReason);
    this.#form.addEventListener("submit", this.#submit);
    find("[data-do=cancel]", dialog).addEventListener("click", () => dialog.close());
  }

  /** Shows the dialog with these targets, except those that need a driver to be chosen. A single one is preselected. */
  open(order, targets) {
    this.#order = order;
    this.#targets = new Map(targets.filter(({ needsDriver }) => !needsDriver).map((target) => [target.key, target]));
    this.#form.reset();
    fill(this.#dialog, { number: order.order_number, customer: order.customer_name });
    for (const kind of KINDS) this.#offer(kind);
    find(".nowhere", this.#form).hidden = this.#targets.size > 0;
    /** @type {HTMLButtonElement} */
    const button = find("[type=submit]", this.#form);
    button.disabled = this.#targets.size === 0;
    this.#dialog.showModal();
    /** @type {HTMLInputElement[]} */
    const options = findAll("input[type=radio]", this.#form);
    if (options.length === 1) options[0].checked = true;
    this.#askForReason();
    (options.length === 1 && this.#needsReason() ? this.#form.elements.reason : options[0])?.focus();
  }

  #offer(kind) {
    const group = find(`[data-kind=${kind}]`, this.#form);
    const options = [...this.#targets.keys()].filter((key) => key.startsWith(kind)).map(this.#option);
    find(".choices", group).replaceChildren(...options);
    group.hidden = options.length === 0;
  }

  #option = (key) => {
    const option = copyTemplate("move-option");
    find("input", option).value = key;
    return fill(option, { label: this.#names(key) });
  };

  #target() {
    return this.#targets.get(new FormData(this.#form).get("target"));
  }

  #needsReason() {
    return Boolean(this.#target()?.needsReason);
  }

  #askForReason = () => {
    const needed = this.#needsReason();
    find(".reason", this.#form).hidden = !needed;
    this.#form.elements.reason.required = needed;
    this.#checkReason();
  };

  /** Refuses a reason that is only white space. */
  #checkReason = () => {
    const { value, required } = this.#form.elements.reason;
    const isBlank = required && value !== "" && !value.trim();
    this.#form.elements.reason.setCustomValidity(isBlank ? gettext("Please give a reason.") : "");
  };

  #submit = (event) => {
    event.preventDefault();
    const { changes, needsReason } = this.#target();
    const reason = needsReason ? { reason: this.#form.elements.reason.value.trim() } : {};
    this.#dialog.close();
    this.#onSubmit(this.#order, { ...changes, ...reason });
  };
}
