/** The page as an app of the telephone: it opens without a line, stands on the home screen, and leaves nothing behind. */
import { fill, find } from "../page.js";

const WORKER = "/driver/sw.js";
const PAGES = "driver-pages";

export function install() {
  // There in secure contexts only: https, and this machine itself.
  navigator.serviceWorker?.register(WORKER, { scope: "/driver/" });
  // What waits is not thrown away when the telephone needs room.
  navigator.storage?.persist?.();
  const button = find("#install");
  let offer = null;
  window.addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    offer = event;
    button.hidden = false;
  });
  button.addEventListener("click", () => {
    button.hidden = true;
    offer.prompt();
  });
}

/** Signing out throws away what the next one must not see. What waits stays for its own driver, who is told so first. */
export function onSignOut({ queue, forget }) {
  const form = find("#sign-out");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (queue.waiting.length && !(await isSure(queue.waiting.length))) return;
    await forget();
    await globalThis.caches?.delete(PAGES);
    form.submit();
  });
}

function isSure(count) {
  const dialog = find("#leave");
  const text = ngettext(
    "%s report was not sent yet. It stays on this telephone, and is sent when you sign in here again.",
    "%s reports were not sent yet. They stay on this telephone, and are sent when you sign in here again.",
    count,
  );
  fill(dialog, { text: interpolate(text, [count]) });
  dialog.returnValue = "stay";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "leave"), { once: true });
  });
}
