/** Asks why a stop could not be delivered. */
import { fill, find } from "../page.js";

const dialog = find("#failed");
const form = find("form", dialog);
const text = find("#failed-text");
let done = null;

/** Shows the question; `report(reason)` once there is an answer. */
export function askWhy(name, report) {
  done = report;
  form.reset();
  fill(dialog, { name, wrong: "" });
  dialog.showModal();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const chosen = find("input:checked", form)?.value ?? "";
  const reason = [chosen, text.value.trim()].filter(Boolean).join(": ");
  if (!reason) return fill(dialog, { wrong: gettext("Please choose a reason, or write one.") });
  dialog.close();
  return done(reason);
});
find("[data-cancel]", dialog).addEventListener("click", () => dialog.close());
