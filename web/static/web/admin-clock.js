/** “Today” and “Now” beside the date fields of Django's admin are the server's, as on all other pages. */
import { now } from "./server-clock.js";

/** What the server's wall clock says, as a moment of this device's zone: so `DateTimeShortcuts` reads it. */
function serverNow() {
  const moment = new Date(now());
  const offset = Number(document.body.dataset.adminUtcOffset) + moment.getTimezoneOffset() * 60;
  return new Date(moment.getTime() + offset * 1000);
}

if (window.DateTimeShortcuts) window.DateTimeShortcuts.now = serverNow;
