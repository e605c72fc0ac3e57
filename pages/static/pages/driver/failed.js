/** Asks why a stop could not be delivered. */
import { fill, find } from "../../web/page.js";
import { tapped } from "./taps.js";

const dialog = find("#failed");
const form = find("form", dialog);
const text = find("#failed-text");
let done = null;

/** Shows the question; `report(reason)` once there is an answer. It promises what is wrong: the question stays until that is "". */
export function askWhy(name, report) {
  done = report;
  form.reset();
  fill(dialog, { name, wrong: "" });
  dialog.showModal();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const chosen = find("input:checked", form)?.value ?? "";
  const reason = [chosen, text.value.trim()].filter(Boolean).join(": ");
  if (!reason) return fill(dialog, { wrong: gettext("Please choose a reason, or write one.") });
  const report = done;
  done = null; // pressed twice
  const wrong = await report?.(reason);
  if (wrong === undefined) return undefined;
  done = report;
  fill(dialog, { wrong });
  return wrong ? undefined : dialog.close();
});
find("[data-cancel]", dialog).addEventListener("click", () => dialog.close());
dialog.addEventListener("close", tapped);
