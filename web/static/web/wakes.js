/**
 * Calls `seen` whenever the page is looked at again, `online` and `offline` with the network. Returns what ends it.
 * @param {{ online: () => void, offline: () => void, seen: () => void }} calls
 */
export function watch({ online, offline, seen }) {
  const ending = new AbortController();
  const { signal } = ending;
  const look = () => {
    if (document.visibilityState === "visible") seen();
  };
  window.addEventListener("online", online, { signal });
  window.addEventListener("offline", offline, { signal });
  window.addEventListener("pageshow", look, { signal });
  document.addEventListener("visibilitychange", look, { signal });
  return () => ending.abort();
}
