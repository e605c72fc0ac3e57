/** The dialog that asks why a stop could not be delivered. */
import { fill, find } from "../../web/page.js";
import { recordPageChange } from "./taps.js";

/** @type {HTMLDialogElement} */
const dialog = find("#failed");
const form = find("form", dialog);
/** @type {HTMLTextAreaElement} */
const text = find("#failed-text");
/** @type {((reason: string) => Promise<string>) | null} */
let submit = null;

/**
 * Shows the dialog for a stop.
 * @param {string} name the customer's name
 * @param {(reason: string) => Promise<string>} report is called with the reason and resolves with an error text. The dialog
 *   closes only if the text is ""
 */
export function askReason(name, report) {
  submit = report;
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
  const report = submit;
  submit = null; // ignores a second press
  const wrong = await report?.(reason);
  if (wrong === undefined) return;
  submit = report;
  fill(dialog, { wrong });
  if (!wrong) dialog.close();
});
find("[data-cancel]", dialog).addEventListener("click", () => dialog.close());
dialog.addEventListener("close", recordPageChange);
