/** Makes “Today” and “Now” beside the date fields of Django's admin go by the server's clock. */
import { now } from "./server-clock.js";

/** The server's local time as if it were that of this device: `DateTimeShortcuts` reads it so. */
function serverNow() {
  const moment = new Date(now());
  const offset = Number(document.body.dataset.adminUtcOffset) + moment.getTimezoneOffset() * 60;
  return new Date(moment.getTime() + offset * 1000);
}

if (window.DateTimeShortcuts) window.DateTimeShortcuts.now = serverNow;
