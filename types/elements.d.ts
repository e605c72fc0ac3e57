/** The site's own elements, so that `find("connection-status")` knows its type. */
import type { ConnectionStatus, NotificationToasts } from "../realtime/static/realtime/elements.js";

declare global {
  interface HTMLElementTagNameMap {
    "connection-status": ConnectionStatus;
    "notification-toasts": NotificationToasts;
  }
}
