/** The site's own API, from a page that is signed in by its session, or with a token. */
/** @import { Answer, ApiProblem, LogEnd, RowOf } from "types/rows" */
import { serverWaitMs } from "./backoff.js";
import { readServerTime } from "./server-clock.js";

const BASE = "/api/v1/";
const PAGE_SIZE = 500;
const TIMEOUT_MS = 15_000;
/** A photo over a bad line; no server waits longer for a whole request. */
const UPLOAD_TIMEOUT_MS = 60_000;
/** Our server never asks for a longer wait; a proxy might. */
const MOST_RETRY_SECONDS = 900;
const CHANGING = new Set(["POST", "PATCH"]);
/** No answer, and refusals that end by themselves: somebody signs in, or the rate limit is over. 5xx may pass too. */
const TEMPORARY = [0, 401, 403, 408, 425, 429];

/** An answer that is no success. */
export class ApiError extends Error {
  /** Of HTTP; 0 where there was no answer at all. */
  status;
  errors;
  /** Of the first error; the message is of all. `offline`: no answer. `error`: not in the shape of our API. */
  code;
  /** How long the server wants no further request (`Retry-After`). */
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
    this.retryMs = serverWaitMs(retryAfter, MOST_RETRY_SECONDS);
    this.code = errors[0]?.code ?? (status ? "error" : "offline");
  }

  /** Whether the same request may succeed later. An error in another shape than ours comes from a proxy. */
  get isTemporary() {
    return this.status >= 500 || TEMPORARY.includes(this.status) || this.code === "error";
  }
}

/** As the cookie has it now: a page from the browser's cache has an old one. */
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
 * The parsed answer, which is an object, and `end`: of the log, before it was read. Rejects with an `ApiError`.
 * @param {string} method
 * @param {string | URL} path
 * @param {object} [body]
 * @param {string | null} [token]
 * @returns {Promise<{ data: object, end: LogEnd }>}
 */
export async function request(method, path, body, token = null) {
  const sentAt = performance.now();
  /** @type {Response | undefined} */
  let answer;
  /** @type {{ errors?: unknown } | null} */
  let data = null;
  try {
    answer = await fetch(new URL(path, new URL(BASE, location.href)), optionsOf(method, body, token));
    readServerTime(answer, sentAt);
    data = await answer.json();
  } catch {
    // No answer, or none in JSON: the next line tells.
  }
  // What is no JSON object comes from a proxy, or from the sign-in page of a public network.
  if (!answer || (answer.ok && data === null)) throw new ApiError(0);
  const errors = Array.isArray(data?.errors) ? data.errors : [];
  if (!answer.ok) throw new ApiError(answer.status, errors, answer.headers.get("Retry-After"));
  const end = { since: answer.headers.get("Last-Event-Id"), epoch: answer.headers.get("Last-Event-Epoch") };
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
 * As `get`; null where there is no such thing, or not for this user.
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
 * All rows of a list, page by page, and the `end` of the log before the first page.
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
