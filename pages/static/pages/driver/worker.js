/*
 * Opens the driver's page without a line. The server puts `TOLD` in front: `version`, of what the static files hold,
 * their `files`, and the URL of the `words`. It keeps no answer of the API: the page keeps its stops itself, a user.
 */
const PAGE = "/driver/";
/** Page and words: of whoever is signed in, in their language. The page throws them away when they sign out. */
const PAGES = "driver-pages";
const FILES = `driver-files-${TOLD.version}`;
/** Longer than this nobody waits for a page that lies ready. */
const PATIENCE_MS = 4_000;
/** The line that made us wait once makes nobody wait again at once. */
const SLOW_MS = 30_000;

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
let slowUntil = 0;
/** The server's files are newer than these: what it says is not mixed with them. */
let isOutdated = false;

worker.addEventListener("install", (event) => event.waitUntil(install()));
worker.addEventListener("activate", (event) => event.waitUntil(activate()));
worker.addEventListener("fetch", (event) => {
  const answer = answerTo(event.request);
  if (answer) event.respondWith(answer);
});

async function install() {
  const files = await caches.open(FILES);
  await files.addAll(TOLD.files.map((path) => new Request(path, { cache: "no-cache" })));
  for (const path of [PAGE, TOLD.words]) await keep(path, await fetch(path, { cache: "no-cache" }));
  await worker.skipWaiting();
}

async function activate() {
  for (const name of await caches.keys())
    if (name.startsWith("driver-files-") && name !== FILES) await caches.delete(name);
  await worker.clients.claim();
}

/** @param {Request} request */
function answerTo(request) {
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return null;
  if (pathname === PAGE || pathname === TOLD.words) return fresh(request, pathname);
  return TOLD.files.includes(pathname) ? kept(request, pathname) : null;
}

/**
 * What the server says, if it says it soon; else what it said last.
 * @param {Request} request
 * @param {string} path
 */
async function fresh(request, path) {
  const last = await (await caches.open(PAGES)).match(path);
  if (last && performance.now() < slowUntil) return last;
  let answer;
  try {
    answer = await fetch(request, last ? { signal: AbortSignal.timeout(PATIENCE_MS) } : {});
  } catch (error) {
    if (!last) throw error;
    slowUntil = performance.now() + SLOW_MS;
    return last;
  }
  if (answer.status >= 500 && last) return last;
  // A full disk takes nothing from a page that came over the line.
  await keep(path, answer.clone()).catch((error) => console.warn("The page was not kept.", error));
  return answer;
}

/**
 * @param {string} path
 * @param {Response} answer
 */
async function keep(path, answer) {
  if (path === PAGE) isOutdated = answer.ok && answer.headers.get("X-Page-Version") !== TOLD.version;
  if (answer.ok && !answer.redirected && !isOutdated) await (await caches.open(PAGES)).put(path, answer);
}

/**
 * @param {Request} request
 * @param {string} path
 */
async function kept(request, path) {
  const file = await (await caches.open(FILES)).match(path);
  if (!file) return fetch(request);
  return isOutdated ? fetch(request).catch(() => file) : file;
}
