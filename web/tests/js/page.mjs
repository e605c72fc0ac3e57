/** Globals of a page, for scripts that need no DOM. Imported once, before all tests (`node --import`). */
import { setMaxListeners } from "node:events";
import { existsSync } from "node:fs";
import { registerHooks } from "node:module";
import { beforeEach, mock } from "node:test";

const ROOT = new URL("../../../", import.meta.url);

/** Resolves “…/pages/static/web/page.js” to web/static/web/page.js, as the site serves it. */
function resolveStatic(url) {
  const [, app, rest] = /\/static\/(\w+)\/(.+)$/.exec(url) ?? [];
  const file = app && new URL(`${app}/static/${app}/${rest}`, ROOT);
  return file && existsSync(file) ? file.href : url;
}

registerHooks({
  resolve(specifier, { parentURL, ...context }, next) {
    const url = /^[./]/.test(specifier) ? resolveStatic(new URL(specifier, parentURL).href) : specifier;
    return next(url, { parentURL, ...context });
  },
});

/** The page data that tests need. */
export const pageData = {
  time_zone: "Asia/Taipei",
  statuses: {
    open: ["pending", "confirmed", "assigned", "delivering", "arriving", "failed"],
    closed: ["delivered", "cancelled"],
    with_driver: ["assigned", "delivering", "arriving"],
    on_the_road: ["delivering", "arriving"],
    done_by_driver: ["delivered", "failed"],
  },
  slots: ["morning", "afternoon", "evening", "anytime"],
  labels: {
    status: Object.fromEntries(
      ["pending", "confirmed", "assigned", "delivering", "arriving", "delivered", "failed", "cancelled"].map((name) => [
        name,
        name.toUpperCase(),
      ]),
    ),
    time_slot: {},
  },
  moves: {
    assigned: [{ to: "delivering", needs_reason: false, label: "Start" }],
    delivering: [
      { to: "arriving", needs_reason: false, label: "Arriving" },
      { to: "assigned", needs_reason: false, label: "Take back" },
      { to: "failed", needs_reason: true, label: "" },
    ],
    delivered: [],
  },
};

class Storage {
  #values = new Map();
  getItem = (name) => this.#values.get(name) ?? null;
  setItem = (name, value) => this.#values.set(name, value);
  removeItem = (name) => this.#values.delete(name);
  clear = () => this.#values.clear();
}

// A test may load a page many times, and each load adds listeners. Node would warn about more than ten.
setMaxListeners(0);
const events = new EventTarget();
const put = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
for (const name of ["addEventListener", "removeEventListener", "dispatchEvent"]) put(name, events[name].bind(events));
put("window", globalThis);
put("location", new URL("http://site.test/"));
put("navigator", { onLine: true });
put("localStorage", new Storage());
put("gettext", (text) => text);
put(
  "document",
  Object.assign(new EventTarget(), {
    documentElement: { lang: "en" },
    visibilityState: "visible",
    hidden: false,
    cookie: "csrftoken=abc",
    getElementById: (id) => (id === "page-data" ? { textContent: JSON.stringify(pageData) } : null),
  }),
);
put(
  "BroadcastChannel",
  class {
    postMessage() {}
  },
);
put("reportError", (error) => {
  throw error;
});

// All tests share one process, so the page's state is reset before each.
beforeEach(() => {
  localStorage.clear();
  chance(0.5);
  navigator.onLine = true;
  Object.assign(document, { hidden: false, visibilityState: "visible" });
  put("fetch", async () => {
    throw new TypeError("There is no network in tests.");
  });
});

// The clocks stand still until a test advances them with `pass`. `performance.now()` follows the mocked `Date.now()`.
const START = Date.parse("2026-11-23T10:00:00+08:00");
mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: START });
const startedAt = performance.now();
const clock = Date.now;
performance.now = () => startedAt + clock() - START;

/** Waits until all promises that can settle have settled. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Lets time pass in steps, so that code can set its next timer after each. */
export async function pass(ms, step = 250) {
  await settled();
  for (let left = ms; left > 0; left -= step) {
    mock.timers.tick(Math.min(step, left));
    await settled();
  }
}

/** Sets what `Math.random` returns from now on. */
export function chance(value) {
  Math.random = () => value;
}
