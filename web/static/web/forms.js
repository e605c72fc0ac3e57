/** Blocks a second submit of a POST form within WAIT_MS of the first: over a slow connection the page stays open meanwhile. */

/** After this time a form may be submitted again: the user may have stopped the first submit. */
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

/** Resets the block when the browser restores the page from its back/forward cache. */
window.addEventListener("pageshow", (event) => {
  if (event.persisted) sentAt = new WeakMap();
});
