/** @import { EventFrame } from "types/events" */
/** @import { EventPage } from "types/rows" */
/** @import { Cursor } from "./cursor.js" */
/** @import { Token } from "./token.js" */

import { about } from "../web/backoff.js";

/** How often to ask; a hidden tab is in no hurry. */
export const SEEN_MS = 3_000;
export const HIDDEN_MS = 15_000;
const ANSWER_MS = 10_000;
const PROBE_MS = 5_000;
const MOST_EVENTS = 500;
const GONE = "cursor_gone";
const SWITCHED_OFF = "switched_off";

/**
 * What our server calls a refusal; null where somebody else answered.
 * @param {Response} answer
 * @returns {Promise<string | null>}
 */
async function codeOf(answer) {
  const body = await answer.json().catch(() => null);
  return body?.errors?.[0]?.code ?? null;
}

/**
 * Whether the server answers a plain request at `url`.
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
 * @property {(events: EventFrame[]) => void} told
 * @property {() => void} gone
 * @property {() => void} switchedOff
 * @property {() => void} denied
 * @property {() => void} failed
 */

/**
 * The log over HTTP, where sockets cannot be had. `told(events)`: what is new, in order. `gone()`: what came after the
 * cursor is no longer kept; it goes on at the log's end. `switchedOff()`: the log is not told at the moment; said again each
 * time that it was asked for. `denied()`: the server wants a sign-in. `failed()`: no answer.
 */
export class Poller {
  #api;
  #client;
  #stopped = false;
  /** @type {number | undefined} */
  #timer;
  /** @type {(() => void) | null} */
  #resume = null;

  /**
   * @param {URL} api the root, `…/api/v1/`
   * @param {PollingClient} client
   * @param {number} wait milliseconds until the first turn
   */
  constructor(api, client, wait) {
    this.#api = api;
    this.#client = client;
    this.#run(wait);
  }

  stop() {
    this.#stopped = true;
    this.now();
  }

  /** Asks at once instead of at the next turn. */
  now() {
    clearTimeout(this.#timer);
    this.#resume?.();
  }

  /** @param {number} wait */
  async #run(wait) {
    while (!this.#stopped) {
      if (wait > 0) await this.#pause(wait);
      if (!this.#stopped) wait = await this.#turn();
    }
  }

  /**
   * @param {number} ms
   * @returns {Promise<void>}
   */
  #pause(ms) {
    return new Promise((resume) => {
      this.#resume = resume;
      this.#timer = setTimeout(resume, ms);
    });
  }

  /** One round; milliseconds until the next. */
  async #turn() {
    const usual = document.hidden ? HIDDEN_MS : SEEN_MS;
    const { cursor, failed, switchedOff } = this.#client;
    try {
      if (cursor.id === null) cursor.reset(...(await this.#end()));
      const before = cursor.id;
      const more = await this.#read();
      return more && cursor.id !== before ? 0 : usual;
    } catch (error) {
      if (this.#stopped) return 0;
      if (!(error instanceof Unanswered)) throw error;
      if (error.code !== SWITCHED_OFF) {
        failed();
        return Math.max(usual, error.retryMs);
      }
      switchedOff();
      return Math.max(usual, about(error.retryMs));
    }
  }

  /**
   * The end of the log, `[id, epoch]`; every list names it.
   * @returns {Promise<[number, string | null]>}
   */
  async #end() {
    const answer = await this.#get("orders/", { page_size: "1" });
    const head = answer.headers.get("Last-Event-Id");
    if (!answer.ok || head === null) throw new Unanswered(answer);
    return [Number(head), answer.headers.get("Last-Event-Epoch")];
  }

  /** Reads what is new in the own channels and in those subscribed to. True if there is more. */
  async #read() {
    const { cursor, channels, told } = this.#client;
    const pages = await Promise.all(["", ...channels].map((channel) => this.#page(channel)));
    if (pages.includes(GONE)) return this.#beginAnew();
    const known = pages.flatMap((page) => (page === null || page === GONE ? [] : [page]));
    if (this.#stopped || known.length === 0) return false;
    // Each page is complete up to its own end only.
    const end = Math.min(...known.map((page) => page.last_event_id));
    const events = known.flatMap((page) => page.events).filter((event) => event.id <= end);
    cursor.epoch = known[0].epoch;
    told(/** @type {EventFrame[]} */ (/** @type {unknown} */ (events.sort((one, other) => one.id - other.id))));
    cursor.move(end);
    return known.some((page) => page.more);
  }

  /**
   * Null where the right to this channel has ended.
   * @param {string} channel
   * @returns {Promise<EventPage | typeof GONE | null>}
   */
  async #page(channel) {
    const { cursor, channels } = this.#client;
    const from = { since: String(cursor.id), epoch: cursor.epoch ?? "" };
    const answer = await this.#get("events/", { ...from, channel, limit: String(MOST_EVENTS) });
    if (answer.ok) return answer.json().catch(() => Promise.reject(new Unanswered(answer)));
    if (answer.status === 410) return GONE;
    // The others go on.
    if (channel && [403, 404].includes(answer.status)) channels.delete(channel);
    else throw new Unanswered(answer, await codeOf(answer));
    return null;
  }

  async #beginAnew() {
    const { cursor, gone } = this.#client;
    const end = await this.#end();
    if (this.#stopped) return false;
    cursor.reset(...end);
    gone();
    return false;
  }

  /**
   * @param {string} path
   * @param {Record<string, string>} query
   */
  async #get(path, query) {
    const url = new URL(path, this.#api);
    url.search = String(new URLSearchParams(query));
    const { token, denied } = this.#client;
    const answer = await this.#fetch(url).catch(() => null);
    if (answer?.ok) token.accepted();
    if (answer?.status === 401 || (answer?.status === 403 && !query.channel)) {
      if (!token.refused() && !this.#stopped) denied();
    }
    if (answer === null) throw new Unanswered();
    return answer;
  }

  /** @param {URL} url */
  async #fetch(url) {
    const value = await this.#client.token.value();
    /** @type {Record<string, string>} */
    const headers = value ? { Authorization: `Bearer ${value}` } : {};
    return fetch(url, { headers, signal: AbortSignal.timeout(ANSWER_MS), cache: "no-store" });
  }
}

/** The server is away, or wants to be left alone for `retryMs`; or someone else answers, as in a hotel. */
class Unanswered extends Error {
  /**
   * @param {Response | null} answer
   * @param {string | null} code
   */
  constructor(answer = null, code = null) {
    super(answer ? `HTTP ${answer.status}` : "no answer");
    this.code = code;
    this.retryMs = Math.min(60, Number(answer?.headers.get("Retry-After")) || 0) * 1000;
  }
}
