/*
 * Opens the driver's page offline. The server puts `BUILD` in front (types/worker). Does not cache API responses: the page
 * itself stores the stops of each user.
 */
const PAGE = "/driver/";
/** The cache of the signed-in user's page and translations. The page deletes it at sign-out. */
const PAGES = "driver-pages";
/** The cache of the static files. */
const FILES = `driver-files-${BUILD.version}`;
/** How long to wait for the server if there is a cached page. */
const TIMEOUT_MS = 4_000;
/** After a failed request, how long the cached page is used without a request. */
const SLOW_MS = 30_000;

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
let slowUntil = 0;
/** Whether the server has another version. The server's page must not be mixed with the cached files. */
let isOutdated = false;

worker.addEventListener("install", (event) => event.waitUntil(install()));
worker.addEventListener("activate", (event) => event.waitUntil(activate()));
worker.addEventListener("fetch", (event) => {
  const answer = answerFor(event.request);
  if (answer) event.respondWith(answer);
});

async function install() {
  const files = await caches.open(FILES);
  await files.addAll(BUILD.files.map((path) => new Request(path, { cache: "no-cache" })));
  for (const path of [PAGE, BUILD.translations]) await cache(path, await fetch(path, { cache: "no-cache" }));
  await worker.skipWaiting();
}

async function activate() {
  for (const name of await caches.keys())
    if (name.startsWith("driver-files-") && name !== FILES) await caches.delete(name);
  await worker.clients.claim();
}

/** @param {Request} request */
function answerFor(request) {
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return null;
  if (pathname === PAGE || pathname === BUILD.translations) return networkFirst(request, pathname);
  return BUILD.files.includes(pathname) ? cachedFile(request, pathname) : null;
}

/**
 * The server's response. Instead the cached response, if there is one, when the request fails, takes longer than TIMEOUT_MS or ends
 * with a server error, and for SLOW_MS after a request without a response.
 * @param {Request} request
 * @param {string} path
 */
async function networkFirst(request, path) {
  const cached = await (await caches.open(PAGES)).match(path);
  if (cached && performance.now() < slowUntil) return cached;
  let answer;
  try {
    answer = await fetch(request, cached ? { signal: AbortSignal.timeout(TIMEOUT_MS) } : {});
  } catch (error) {
    if (!cached) throw error;
    slowUntil = performance.now() + SLOW_MS;
    return cached;
  }
  if (answer.status >= 500 && cached) return cached;
  // A full disk must not make the request fail.
  await cache(path, answer.clone()).catch((error) => console.warn("The page was not cached.", error));
  return answer;
}

/**
 * @param {string} path
 * @param {Response} answer
 */
async function cache(path, answer) {
  if (path === PAGE) isOutdated = answer.ok && answer.headers.get("X-Page-Version") !== BUILD.version;
  if (answer.ok && !answer.redirected && !isOutdated) await (await caches.open(PAGES)).put(path, answer);
}

/**
 * @param {Request} request
 * @param {string} path
 */
async function cachedFile(request, path) {
  const file = await (await caches.open(FILES)).match(path);
  if (!file) return fetch(request);
  return isOutdated ? fetch(request).catch(() => file) : file;
}
