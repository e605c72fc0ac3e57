/** Stops a second submit of a form while the first is under way: on a slow line the page stays for a while. */

/** After this a form may be submitted again: the user may have stopped loading. */
const WAIT_MS = 15_000;
/** @type {WeakMap<HTMLFormElement, number>} */
let sentAt = new WeakMap();

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (event.defaultPrevented || form.getAttribute("method")?.toLowerCase() !== "post") return;
  const isUnderWay = performance.now() - (sentAt.get(form) ?? -WAIT_MS) < WAIT_MS;
  if (isUnderWay) event.preventDefault();
  else sentAt.set(form, performance.now());
});

/** The browser shows the page again as it was left. */
window.addEventListener("pageshow", (event) => {
  if (event.persisted) sentAt = new WeakMap();
});
