/** The dialog that asks why a stop could not be delivered. */
import { fill, find } from "../../web/page.js";
import { pageChanged } from "./taps.js";

/** @type {HTMLDialogElement} */
const dialog = find("#failed");
const form = find("form", dialog);
/** @type {HTMLTextAreaElement} */
const text = find("#failed-text");
/** @type {((reason: string) => Promise<string>) | null} */
let done = null;

/**
 * Shows the dialog.
 * @param {string} name
 * @param {(reason: string) => Promise<string>} report is called with the reason and resolves with an error text. The dialog
 *   closes only if that is ""
 */
export function askWhy(name, report) {
  done = report;
  form.reset();
  fill(dialog, { name, wrong: "" });
  dialog.showModal();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  /** @type {HTMLInputElement | null} */
  const chosen = form.querySelector("input:checked");
  const reason = [chosen?.value, text.value.trim()].filter(Boolean).join(": ");
  if (!reason) {
    fill(dialog, { wrong: gettext("Please choose or enter a reason.") });
    return;
  }
  const report = done;
  done = null; // ignores a second press
  const wrong = await report?.(reason);
  if (wrong === undefined) return;
  done = report;
  fill(dialog, { wrong });
  if (!wrong) dialog.close();
});
find("[data-cancel]", dialog).addEventListener("click", () => dialog.close());
dialog.addEventListener("close", pageChanged);
