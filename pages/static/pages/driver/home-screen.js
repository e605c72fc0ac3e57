/** The page as an installable app: opens offline, can be added to the home screen, and deletes its data at sign-out. */
/** @import { Queue } from "./queue.js" */
import { csrfToken } from "../../web/api.js";
import { fill, find } from "../../web/page.js";

const WORKER = "/driver/sw.js";
/** The service worker's cache of the page and its translations (worker.js). */
const PAGES = "driver-pages";
/** The time limit of the sign-out request. */
const SIGN_OUT_MS = 15_000;

export function install() {
  // Service workers exist only in secure contexts: https and localhost.
  navigator.serviceWorker?.register(WORKER, { scope: "/driver/" });
  // Asks the browser not to delete waiting reports when the telephone needs room.
  navigator.storage?.persist?.();
  /** @type {HTMLButtonElement} */
  const button = find("#install");
  /** @type {BeforeInstallPromptEvent | null} */
  let offer = null;
  window.addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    offer = event;
    button.hidden = false;
  });
  button.addEventListener("click", () => {
    button.hidden = true;
    offer?.prompt();
  });
}

/** Deletes the cached page of the driver who was signed in. */
export async function deletePage() {
  await globalThis.caches?.delete(PAGES);
}

/**
 * Handles sign-out. Asks first if reports wait; the phone keeps these for their driver. After a successful sign-out calls
 * `deleteData()`, deletes the cached page and opens the page that the server redirects to. Calls `failed()` if the sign-out failed.
 * @param {{ queue: Queue, deleteData: () => Promise<unknown>, failed: () => void }} page
 */
export function onSignOut({ queue, deleteData, failed }) {
  /** @type {HTMLFormElement} */
  const form = find("#sign-out");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (queue.waiting.length && !(await isSure(queue))) return;
    const to = await signOut(form.action);
    if (!to) {
      failed();
      return;
    }
    await Promise.allSettled([deleteData(), deletePage()]);
    location.assign(to);
  });
}

/**
 * Signs out. Resolves with the URL to go to, or null if that failed.
 * @param {string} url
 */
async function signOut(url) {
  const headers = { "X-CSRFToken": csrfToken() };
  try {
    const answer = await fetch(url, { method: "POST", headers, signal: AbortSignal.timeout(SIGN_OUT_MS) });
    return answer.ok ? answer.url : null;
  } catch {
    return null; // offline, or too slow
  }
}

/** @param {Queue} queue */
function isSure({ waiting: { length: count }, hasUnsaved }) {
  /** @type {HTMLDialogElement} */
  const dialog = find("#leave");
  const storedText = ngettext(
    "%s report was not sent yet. It stays on this telephone and is sent when you sign in again.",
    "%s reports were not sent yet. They stay on this telephone and are sent when you sign in again.",
    count,
  );
  const lostText = ngettext(
    "%s report was not sent and could not be saved. It is lost if you sign out.",
    "%s reports were not sent and some could not be saved. Those are lost if you sign out.",
    count,
  );
  const text = hasUnsaved ? lostText : storedText;
  fill(dialog, { text: interpolate(text, [count]) });
  dialog.returnValue = "stay";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "leave"), { once: true });
  });
}
