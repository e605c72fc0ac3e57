/**
 * Calls `visible` when the page was loaded and whenever it is shown again, `online` and `offline` when the network changes.
 * Returns a function that removes the listeners.
 * @param {{ visible: () => void, online: () => void, offline?: () => void }} handlers
 */
export function watchPage({ visible, online, offline = () => {} }) {
  const controller = new AbortController();
  const { signal } = controller;
  const checkVisible = () => {
    if (document.visibilityState === "visible") visible();
  };
  window.addEventListener("online", online, { signal });
  window.addEventListener("offline", offline, { signal });
  window.addEventListener("pageshow", checkVisible, { signal });
  document.addEventListener("visibilitychange", checkVisible, { signal });
  return () => controller.abort();
}
