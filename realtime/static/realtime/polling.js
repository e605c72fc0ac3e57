/** @import { EventFrame } from "types/events" */
/** @import { EventPage } from "types/rows" */
/** @import { Cursor } from "./cursor.js" */
/** @import { Token } from "./token.js" */

import { ApiError, request } from "../web/api.js";
import { jitter } from "../web/backoff.js";

/** The wait between polls of a visible and of a hidden page. */
const VISIBLE_MS = 3_000;
const HIDDEN_MS = 15_000;
/** The timeout of the request that checks whether HTTP works. */
const PROBE_MS = 5_000;
/** Maximum wait that the client accepts from the server. The page is stale during the wait. */
const MAX_WAIT_MS = 60_000;
const MAX_EVENTS = 500;
const CURSOR_GONE = 410;
const SWITCHED_OFF = "switched_off";

/**
 * Whether the server answers a GET of `url` with success (2xx) within PROBE_MS.
 * @param {URL} url
 */
export async function httpWorks(url) {
  const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(PROBE_MS) }).catch(() => null);
  return answer?.ok ?? false;
}

/**
 * @typedef {object} PollingClient
 * @property {Cursor} cursor
 * @property {Token} token
 * @property {Set<string>} channels
 * @property {(events: EventFrame[]) => void} onEvents gets new events, in order
 * @property {() => void} onCursorExpired the cursor has expired; polling continues from the head of the log
 * @property {() => void} onSwitchedOff events are turned off; called after each request until they are on again
 * @property {() => void} onUnauthenticated the server refused the session or the token, and there is no new token to try
 * @property {() => void} onFailure the server did not answer, or answered with an error
 */

/** Polls the event log over HTTP while sockets are blocked or turned off. */
export class Poller {
  #api;
  #client;
  #isStopped = false;
  /** @type {number | undefined} */
  #timer;
  /** @type {(() => void) | null} */
  #wake = null;

  /**
   * @param {URL} api the root, `…/api/v1/`
   * @param {PollingClient} client
   * @param {number} wait milliseconds until the first poll
   */
  constructor(api, client, wait) {
    this.#api = api;
    this.#client = client;
    this.#run(wait);
  }

  stop() {
    this.#isStopped = true;
    this.pollNow();
  }

  /** Polls at once instead of after the wait. */
  pollNow() {
    clearTimeout(this.#timer);
    this.#wake?.();
  }

  /** @param {number} wait */
  async #run(wait) {
    while (!this.#isStopped) {
      if (wait > 0) await this.#pause(wait);
      if (!this.#isStopped) wait = await this.#pollOnce();
    }
  }

  /**
   * @param {number} ms
   * @returns {Promise<void>}
   */
  #pause(ms) {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#timer = setTimeout(resolve, ms);
    });
  }

  /** Polls once, and returns the milliseconds until the next poll. */
  async #pollOnce() {
    const usual = document.hidden ? HIDDEN_MS : VISIBLE_MS;
    const { cursor } = this.#client;
    try {
      if (cursor.id === null) await this.#moveToHead();
      const before = cursor.id;
      const isMore = await this.#read();
      return isMore && cursor.id !== before ? 0 : usual;
    } catch (error) {
      if (this.#isStopped) return 0;
      if (!(error instanceof ApiError)) throw error;
      return Math.max(usual, this.#afterFailure(error));
    }
  }

  /** @param {ApiError} error */
  #afterFailure({ code, retryMs }) {
    const wait = Math.min(retryMs, MAX_WAIT_MS);
    if (code !== SWITCHED_OFF) {
      this.#client.onFailure();
      return wait;
    }
    this.#client.onSwitchedOff();
    return jitter(wait);
  }

  /** Moves the cursor to the head of the log, which is in the headers of every list. */
  async #moveToHead() {
    const { end } = await this.#get("orders/", { page_size: "1" });
    if (end.since === null) throw new ApiError(0);
    if (!this.#isStopped) this.#client.cursor.reset(Number(end.since), end.epoch);
  }

  /** Passes on new events of the user's own and subscribed channels, and moves the cursor. Returns whether there are more. */
  async #read() {
    const { cursor, channels, onEvents, onCursorExpired } = this.#client;
    const answers = await Promise.all(["", ...channels].map((channel) => this.#page(channel)));
    if (answers.includes(CURSOR_GONE)) {
      await this.#moveToHead();
      if (!this.#isStopped) onCursorExpired();
      return false;
    }
    const pages = answers.filter((answer) => typeof answer === "object");
    if (this.#isStopped || pages.length === 0) return false;
    // Each response is complete only up to its own end.
    const end = Math.min(...pages.map((page) => page.last_event_id));
    const events = pages.flatMap((page) => page.events).filter((event) => event.id <= end);
    cursor.epoch = pages[0].epoch;
    onEvents(/** @type {EventFrame[]} */ (/** @type {unknown} */ (events.sort((one, other) => one.id - other.id))));
    cursor.move(end);
    return pages.some((page) => page.more);
  }

  /**
   * Reads the next events of `channel`, or of all the user's channels if `channel` is an empty text. Returns a page of events, or a
   * status: 410 if the cursor expired, 403 or 404 if the server refused the channel, which is then removed.
   * @param {string} channel
   */
  async #page(channel) {
    const { cursor, channels } = this.#client;
    const from = { since: String(cursor.id), epoch: cursor.epoch ?? "" };
    try {
      const { data } = await this.#get("events/", { ...from, channel, limit: String(MAX_EVENTS) });
      return /** @type {EventPage} */ (data);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const isDropped = channel && [403, 404].includes(error.status);
      if (isDropped) channels.delete(channel);
      else if (error.status !== CURSOR_GONE) throw error;
      return error.status;
    }
  }

  /**
   * @param {string} path
   * @param {Record<string, string>} query
   */
  async #get(path, query) {
    const url = new URL(path, this.#api);
    url.search = String(new URLSearchParams(query));
    const { token, onUnauthenticated } = this.#client;
    const value = await token.value().catch(() => Promise.reject(new ApiError(0)));
    try {
      const answer = await request("GET", url, undefined, value);
      token.markAccepted();
      return answer;
    } catch (error) {
      const status = error instanceof ApiError ? error.status : 0;
      const isRefused = status === 401 || (status === 403 && !query.channel);
      if (isRefused && !token.markRefused() && !this.#isStopped) onUnauthenticated();
      throw error;
    }
  }
}
