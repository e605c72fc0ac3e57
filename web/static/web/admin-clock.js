/** Makes the links “Today” and “Now” of Django's admin use the server's clock. */
import { now } from "./server-clock.js";

/** A Date whose local time on this device equals the server's local time, as `DateTimeShortcuts` expects. */
function serverNow() {
  const moment = new Date(now());
  const offset = Number(document.body.dataset.adminUtcOffset) + moment.getTimezoneOffset() * 60;
  return new Date(moment.getTime() + offset * 1000);
}

if (window.DateTimeShortcuts) window.DateTimeShortcuts.now = serverNow;
