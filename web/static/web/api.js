/** The site's own API, from a page that is signed in by its session. */
/** @import { ApiProblem, Listed, LogEnd } from "types/rows" */
import { hearAnswer } from "./server-clock.js";

const BASE = "/api/v1/";
const PAGE_SIZE = 500;
const LONGEST_MS = 15_000;
/** A photo over a bad line; no server waits longer for a whole request. */
const LONGEST_UPLOAD_MS = 60_000;
/** No server means longer; a wrong one might say so. */
const MOST_RETRY_SECONDS = 900;
const CHANGING = new Set(["POST", "PATCH"]);
/** Beside no answer and errors of the server: somebody may sign in meanwhile, or the limit of requests ends. */
const PASSING = [0, 401, 403, 408, 425, 429];

/** An answer that is no success. */
export class ApiError extends Error {
  /** 0 where there was no answer at all. */
  status;
  errors;
  /** Of the first error, as the message is of all. */
  code;
  /** How long the server wants to be left alone (`Retry-After`). */
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
    this.retryMs = Math.min(MOST_RETRY_SECONDS, Number(retryAfter) || 0) * 1000;
    this.code = errors[0]?.code ?? (status ? "error" : "offline");
  }

  /** Whether the same question may be answered later. An error in another shape than ours comes from something between. */
  get mayPass() {
    return this.status >= 500 || PASSING.includes(this.status) || this.code === "error";
  }
}

/** As the cookie has it now: a page that lay in a cache has an old one. */
export function csrfToken() {
  return /(?:^|; )csrftoken=([^;]*)/.exec(document.cookie)?.[1] ?? "";
}

/**
 * @param {string} method
 * @param {object} [body]
 * @returns {RequestInit}
 */
function request(method, body) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (CHANGING.has(method)) headers["X-CSRFToken"] = csrfToken();
  if (body instanceof FormData) return { method, headers, body };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return { method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
}

/**
 * The parsed answer, and `end`: of the log, before it was read. Rejects with an `ApiError`.
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<{ data: any, end: LogEnd }>}
 */
export async function ask(method, path, body) {
  const url = new URL(path, new URL(BASE, location.href));
  const longest = body instanceof FormData ? LONGEST_UPLOAD_MS : LONGEST_MS;
  const asked = performance.now();
  let answer, data;
  try {
    answer = await fetch(url, { ...request(method, body), signal: AbortSignal.timeout(longest) });
    hearAnswer(answer, asked);
    data = await answer.json();
  } catch {
    data = null;
  }
  // What is no JSON object comes from a proxy, or from someone else's network.
  if (!answer || (answer.ok && data === null)) throw new ApiError(0);
  const errors = Array.isArray(data?.errors) ? data.errors : [];
  if (!answer.ok) throw new ApiError(answer.status, errors, answer.headers.get("Retry-After"));
  return { data, end: { since: answer.headers.get("Last-Event-Id"), epoch: answer.headers.get("Last-Event-Epoch") } };
}

/** @param {string} path */
export const get = async (path) => (await ask("GET", path)).data;
/** @param {string} path @param {object} [body] */
export const post = async (path, body) => (await ask("POST", path, body)).data;
/** @param {string} path @param {object} body */
export const patch = async (path, body) => (await ask("PATCH", path, body)).data;

/**
 * All rows of a list, page by page, and the `end` of the log before the first.
 * @param {string} path
 * @returns {Promise<{ rows: any[], end: LogEnd }>}
 */
export async function all(path) {
  const rows = [];
  let { data, end } = await ask("GET", `${path}${path.includes("?") ? "&" : "?"}page_size=${PAGE_SIZE}`);
  rows.push(...data.results);
  while (data.next) {
    ({ data } = await ask("GET", data.next));
    rows.push(...data.results);
  }
  return { rows, end };
}
