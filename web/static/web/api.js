/** A client for the site's own API, which authenticates with the session cookie or a token. */
/** @import { Answer, ApiProblem, LogEnd, RowOf } from "types/rows" */
import { serverWaitMs } from "./backoff.js";
import { readServerTime } from "./server-clock.js";

const BASE = "/api/v1/";
const PAGE_SIZE = 500;
const TIMEOUT_MS = 15_000;
/** Long enough for a photo over a slow connection. */
const UPLOAD_TIMEOUT_MS = 60_000;
/** The longest accepted Retry-After. Our server never sends a longer one, but a proxy might. */
const MAX_RETRY_SECONDS = 900;
const CHANGING = new Set(["POST", "PATCH"]);
/**
 * Statuses after which a retry may succeed, besides 5xx: no response (0), not signed in (401, 403), a timeout (408), too early (425),
 * a rate limit (429).
 */
const TEMPORARY = [0, 401, 403, 408, 425, 429];

/** A failed request. */
export class ApiError extends Error {
  /** The HTTP status; 0 without a response. */
  status;
  errors;
  /** The code of the first error; “offline” without a response, “error” if the response is not in our API's format. */
  code;
  /** The wait that the server asks for (`Retry-After`), in milliseconds. */
  retryMs;

  /**
   * @param {number} status
   * @param {ApiProblem[]} errors
   * @param {string | null} retryAfter
   */
  constructor(status, errors = [], retryAfter = null) {
    super(errors.map(({ detail }) => detail).join(" "));
    this.status = status;
    this.errors = errors;
    this.retryMs = serverWaitMs(retryAfter, MAX_RETRY_SECONDS);
    this.code = errors[0]?.code ?? (status ? "error" : "offline");
  }

  /** Whether a retry may succeed. An error that is not in our API's format comes from a proxy, so it may be temporary. */
  get isTemporary() {
    return this.status >= 500 || TEMPORARY.includes(this.status) || this.code === "error";
  }
}

/** The CSRF token, read from the cookie: a page from the browser's cache contains an old one. */
export function csrfToken() {
  return /(?:^|; )csrftoken=([^;]*)/.exec(document.cookie)?.[1] ?? "";
}

/**
 * @param {string} method
 * @param {object | undefined} body
 * @param {string | null} token
 * @returns {RequestInit}
 */
function optionsOf(method, body, token) {
  const isForm = body instanceof FormData;
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (CHANGING.has(method)) headers["X-CSRFToken"] = csrfToken();
  if (body && !isForm) headers["Content-Type"] = "application/json";
  const signal = AbortSignal.timeout(isForm ? UPLOAD_TIMEOUT_MS : TIMEOUT_MS);
  return { method, headers, signal, body: isForm || !body ? body : JSON.stringify(body) };
}

/**
 * Resolves with the parsed JSON object and `end`, the head of the event log before the object was read. Rejects with an
 * `ApiError`.
 * @param {string} method
 * @param {string | URL} path
 * @param {object} [body]
 * @param {string | null} [token]
 * @returns {Promise<{ data: object, end: LogEnd }>}
 */
export async function request(method, path, body, token = null) {
  const sentAt = performance.now();
  /** @type {Response | undefined} */
  let response;
  /** @type {{ errors?: unknown } | null} */
  let data = null;
  try {
    response = await fetch(new URL(path, new URL(BASE, location.href)), optionsOf(method, body, token));
    readServerTime(response, sentAt);
    data = await response.json();
  } catch {
    // No response, or not JSON: handled below.
  }
  // A successful response without JSON comes from a proxy, or from the sign-in page of a public network.
  if (!response || (response.ok && data === null)) throw new ApiError(0);
  const errors = Array.isArray(data?.errors) ? data.errors : [];
  if (!response.ok) throw new ApiError(response.status, errors, response.headers.get("Retry-After"));
  const end = { since: response.headers.get("Last-Event-Id"), epoch: response.headers.get("Last-Event-Epoch") };
  return { data: /** @type {object} */ (data), end };
}

/**
 * @template {string} Path
 * @param {Path} path
 */
export async function get(path) {
  return /** @type {Answer<"get", Path>} */ ((await request("GET", path)).data);
}

/**
 * As `get`, but null after a permanent error, such as a 404: the object does not exist, or the user may not see it.
 * @template {string} Path
 * @param {Path} path
 */
export async function getOrNull(path) {
  try {
    return await get(path);
  } catch (error) {
    if (error instanceof ApiError && !error.isTemporary) return null;
    throw error;
  }
}

/**
 * @template {string} Path
 * @param {Path} path
 * @param {object} [body]
 */
export async function post(path, body) {
  return /** @type {Answer<"post", Path>} */ ((await request("POST", path, body)).data);
}

/**
 * @template {string} Path
 * @param {Path} path
 * @param {object} body
 */
export async function patch(path, body) {
  return /** @type {Answer<"patch", Path>} */ ((await request("PATCH", path, body)).data);
}

/**
 * Loads all pages of a list. `end` is the head of the event log before the first page was read.
 * @template {string} Path
 * @param {Path} path
 * @returns {Promise<{ rows: RowOf<Path>[], end: LogEnd }>}
 */
export async function getAll(path) {
  const rows = [];
  const first = await request("GET", `${path}${path.includes("?") ? "&" : "?"}page_size=${PAGE_SIZE}`);
  let page = /** @type {{ results: RowOf<Path>[], next: string | null }} */ (first.data);
  rows.push(...page.results);
  while (page.next) {
    page = /** @type {typeof page} */ ((await request("GET", page.next)).data);
    rows.push(...page.results);
  }
  return { rows, end: first.end };
}
