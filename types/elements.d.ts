/** The site's custom elements, so that `find("connection-status")` has the right type. */
import type { ConnectionStatus, NotificationToasts } from "../realtime/static/realtime/elements.js";

declare global {
  interface HTMLElementTagNameMap {
    "connection-status": ConnectionStatus;
    "notification-toasts": NotificationToasts;
  }
}
