/** Calls `seen` whenever the page is looked at again, `online` and `offline` with the network. Returns what ends it. */
export function watch({ online, offline, seen }) {
  const look = () => {
    if (document.visibilityState === "visible") seen();
  };
  const wakes = [
    [window, "online", online],
    [window, "offline", offline],
    [window, "pageshow", look],
    [document, "visibilitychange", look],
  ];
  for (const [target, name, handler] of wakes) target.addEventListener(name, handler);
  return () => {
    for (const [target, name, handler] of wakes) target.removeEventListener(name, handler);
  };
}
