/** A form that is on its way is not sent again by a second press: on a slow line its page stands there for a while. */

/** Who pressed “stop” may send it again after this. */
const WAIT_MS = 15_000;
/** @type {WeakMap<HTMLFormElement, number>} */
let sentAt = new WeakMap();

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (event.defaultPrevented || form.getAttribute("method")?.toLowerCase() !== "post") return;
  const waits = performance.now() - (sentAt.get(form) ?? -WAIT_MS) < WAIT_MS;
  if (waits) event.preventDefault();
  else sentAt.set(form, performance.now());
});

/** Back from the next page, as it was left. */
window.addEventListener("pageshow", (event) => {
  if (event.persisted) sentAt = new WeakMap();
});
