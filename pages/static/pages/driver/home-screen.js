/** The page as an app of the telephone: it opens without a line, stands on the home screen, and leaves nothing behind. */
/** @import { Queue } from "./queue.js" */
import { csrfToken } from "../../web/api.js";
import { fill, find } from "../../web/page.js";

const WORKER = "/driver/sw.js";
const PAGES = "driver-pages";
/** Who presses “Sign out” waits for it. */
const SIGN_OUT_MS = 15_000;

export function install() {
  // There in secure contexts only: https, and this machine itself.
  navigator.serviceWorker?.register(WORKER, { scope: "/driver/" });
  // What waits is not thrown away when the telephone needs room.
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

/** The page of whoever was signed in, as it lies here for when there is no line. */
export async function forgetPage() {
  await globalThis.caches?.delete(PAGES);
}

/**
 * Signing out throws away what the next one must not see, once the server knows of it; else `failed()`. What waits stays for
 * its own driver, who is told so first.
 * @param {{ queue: Queue, forget: () => Promise<unknown>, failed: () => void }} page
 */
export function onSignOut({ queue, forget, failed }) {
  /** @type {HTMLFormElement} */
  const form = find("#sign-out");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (queue.waiting.length && !(await isSure(queue))) return;
    const to = await signedOut(form.action);
    if (!to) {
      failed();
      return;
    }
    await Promise.allSettled([forget(), forgetPage()]);
    location.assign(to);
  });
}

/**
 * Where that leads; null where it did not happen.
 * @param {string} url
 */
async function signedOut(url) {
  const headers = { "X-CSRFToken": csrfToken() };
  try {
    const answer = await fetch(url, { method: "POST", headers, signal: AbortSignal.timeout(SIGN_OUT_MS) });
    return answer.ok ? answer.url : null;
  } catch {
    return null; // no line, or too slow a one: the same to whoever waits
  }
}

/** @param {Queue} queue */
function isSure({ waiting: { length: count }, isUnkept }) {
  /** @type {HTMLDialogElement} */
  const dialog = find("#leave");
  const kept = ngettext(
    "%s report was not sent yet. It stays on this telephone, and is sent when you sign in here again.",
    "%s reports were not sent yet. They stay on this telephone, and are sent when you sign in here again.",
    count,
  );
  const lost = ngettext(
    "%s report was not sent yet, and this telephone could not keep it: it is lost when you sign out.",
    "%s reports were not sent yet, and this telephone could not keep all of them: those are lost when you sign out.",
    count,
  );
  const text = isUnkept ? lost : kept;
  fill(dialog, { text: interpolate(text, [count]) });
  dialog.returnValue = "stay";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "leave"), { once: true });
  });
}
