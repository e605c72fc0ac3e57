/**
 * The live view of Lucky Gas, for a page. No dependencies; the contract with the server is in the README.
 *
 *     import { LuckyGasSocket } from "/static/realtime/client.js";
 *     const socket = new LuckyGasSocket("/api/v1/websocket/ws/office", { since, epoch });
 *     socket.on("order.status_changed", ({ data }) => draw(data)).on("resync", () => location.reload());
 *
 * Every event comes once and in order, over losses of the link, of the server and of the network.
 */
/** @import { Connected, EventFrame, FlatFrame, Frame, Message, SocketEvents, SocketState } from "types/events" */
/** @import { Fall } from "./link.js" */
/** @import { Giver, Value } from "./token.js" */
import { about, Backoff, restartMs, STABLE_MS } from "../web/backoff.js";
import { watch } from "../web/wakes.js";
import { Batch } from "./batch.js";
import * as codes from "./codes.js";
import { CommandError, Commands, LATER, RATE_MS } from "./commands.js";
import { Cursor, userOf } from "./cursor.js";
import { Emitter } from "./emitter.js";
import { Link, LOST } from "./link.js";
import { httpWorks, Poller } from "./polling.js";
import { Renewal } from "./renewal.js";
import { Token } from "./token.js";

/** Links in a row that did not open although HTTP works: sockets are blocked here. */
const BLOCKED_AFTER = 3;
/** What says that a channel cannot be had, and need not be asked for again. */
const REFUSALS = new Set(["forbidden", "unknown_channel", "too_many_channels"]);
const AGAIN_MS = 60_000;
/** How often a page loads its rows that has no events to go by. */
const RELOAD_MS = 30_000;
const RESTART_MS = 5_000;

/**
 * `state`: `connecting`, `live`, `reconnecting`, `offline`, `polling`, `reloading` (events are switched off, and the page is
 * told to load afresh about every 30 s), `closed`. `heardAt`: when the server last said anything, in milliseconds since 1970
 * (null: never).
 * @extends {Emitter<SocketEvents>}
 */
export class LuckyGasSocket extends Emitter {
  /** @type {SocketState} */
  state = "connecting";
  /** @type {number | null} */
  heardAt = null;
  #url;
  #cursor;
  #token;
  #renewal;
  /** @type {Batch | undefined} */
  #batch;
  #polls;
  /** @type {Set<string>} */
  #wanted = new Set();
  /** @type {Set<string>} */
  #asked = new Set();
  #commands = new Commands();
  #backoff = new Backoff();
  /** @type {Link | null} */
  #link = null;
  /** @type {Poller | null} */
  #poller = null;
  /** @type {number | undefined} */
  #timer;
  #opening = 0;
  #blocked = 0;
  /** @type {number | null} */
  #toldMs = null;
  #holdsBack = false;
  #waitsToBeSeen = false;
  #unwatch;

  /**
   * @typedef {object} Options
   * @property {Value | Giver} [token]
   * @property {string | number | null} [since]
   * @property {string | null} [epoch]
   * @property {number | string | null} [user]
   * @property {boolean} [remember]
   * @property {boolean} [poll]
   * @property {{ type: keyof SocketEvents, ms: number } | null} [batch]
   */

  /**
   * - `url`: the endpoint, also relative to the page.
   * - `token`: a JWT, or a function that gives or promises a fresh one; without it the session serves.
   * - `since`, `epoch`: resume after this event (`Last-Event-Id` of what the page shows) of this log (`Last-Event-Epoch`); without
   *   them, where this user left off.
   * - `user`: the id of the user, if the page knows; saves a connection on the first visit.
   * - `remember`: false neither keeps nor uses where the user left off.
   * - `poll`: false where there is no log over HTTP to fall back on.
   * - `batch`: `{type: "driver.location", ms: 250}`: handlers of that type get arrays, at most so often.
   * @param {string} url
   * @param {Options} options
   */
  constructor(url, { token = null, since = null, epoch = null, user = null, remember, poll, batch = null } = {}) {
    super();
    this.#url = new URL(url, location.href);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    // The link from an SMS stands for an order and not for a user.
    const personal = !this.#url.pathname.includes("/ws/track/");
    this.#cursor = new Cursor({ since, epoch, user, remember: remember ?? personal });
    this.#token = new Token(token);
    this.#renewal = new Renewal(this.#token, (message) => this.#ifLive(message));
    this.#polls = poll ?? personal;
    if (batch) this.#batch = new Batch(batch, (frames) => this.#tell(batch.type, frames));
    this.#unwatch = watch({ online: this.#hurry, offline: this.#lost, seen: this.#seen });
    this.#open();
  }

  /** The id of the last event told; a page that reloads its state may compare. */
  get lastEventId() {
    return this.#cursor.id;
  }

  /**
   * From the next event on, also after a reconnection. Refused, there is an `error` frame with `ref: channel`.
   * @param {string} channel
   */
  subscribe(channel) {
    this.#wanted.add(channel);
    if (this.state === "live") this.#write({ type: "subscribe", channel, ref: channel });
    return this;
  }

  /** @param {string} channel */
  unsubscribe(channel) {
    this.#wanted.delete(channel);
    if (this.state === "live") this.#write({ type: "unsubscribe", channel });
    return this;
  }

  /**
   * Promises the `ack` of a message that has a `ref` (orders and deliveries get one), sending it again over losses of
   * the link until it is answered; of others, that they are on their way. Rejects with a `CommandError`.
   * @param {Message} message
   */
  async send(message) {
    if (this.#isClosed) throw new CommandError("closed");
    if (this.#poller) throw new CommandError("no_socket");
    if (Commands.wants(message)) return this.#commands.add(message, (whole) => this.#ifLive(whole));
    if (this.state !== "live") throw new CommandError("no_socket");
    return this.#write(message);
  }

  get #isClosed() {
    return this.state === "closed";
  }

  /** Ends it for good. */
  close() {
    this.#end("closed");
  }

  // --- the link ---------------------------------------------------------------------------------------------------

  async #open() {
    clearTimeout(this.#timer);
    this.#holdsBack = false;
    if (this.#link || this.#isClosed) return;
    const opening = ++this.#opening;
    const token = await this.#token.value().catch(() => undefined);
    if (opening !== this.#opening || this.#link || this.#isClosed) return;
    if (token === undefined) {
      this.#retry();
      return;
    }
    /** @param {Message} message */
    const sent = (message) => this.emit("sent", message);
    this.#link = new Link(this.#address(token), { received: this.#receive, sent, fallen: this.#fallen });
  }

  /** @param {string | null} token */
  #address(token) {
    const address = new URL(this.#url);
    const { id, epoch } = this.#cursor;
    this.#asked = new Set(this.#wanted);
    const since = id === null ? null : String(id);
    const said = { token, since, epoch, channels: [...this.#asked].join(",") || null };
    for (const [name, value] of Object.entries(said)) if (value !== null) address.searchParams.set(name, value);
    return address;
  }

  /** @param {Message} message */
  #write(message) {
    this.#link?.send(message);
  }

  /** @param {Message} message */
  #ifLive(message) {
    if (this.state === "live") this.#write(message);
  }

  /** @param {Fall} fall */
  #fallen = async ({ code, welcomed, heldMs }) => {
    this.#link = null;
    this.#renewal.stop();
    if (heldMs >= STABLE_MS) {
      this.#backoff.reset();
      this.#token.accepted();
    }
    this.emit("close", { code });
    if (this.#isClosed) return;
    if (code === codes.UNAUTHENTICATED) this.#refused();
    else if (code === codes.FORBIDDEN) this.#end("forbidden");
    else if (code === codes.TOO_MANY_CONNECTIONS) this.#park();
    else if (codes.SWITCHED_OFF.includes(code)) this.#doWithout();
    else if (codes.RESTART.includes(code) || this.#toldMs !== null) this.#restart();
    else await this.#comeBack(welcomed);
  };

  #refused() {
    if (!this.#token.refused()) return this.#end("unauthenticated");
    this.#become(this.#without());
    this.#open();
  }

  /** Another window of this user is in use: this one comes back when it is looked at. */
  #park() {
    this.#waitsToBeSeen = true;
    this.#become("offline");
  }

  /** The server told everyone another time to come back; nobody hurries past it. */
  #restart() {
    const wait = this.#toldMs ?? Math.random() * RESTART_MS;
    this.#toldMs = null;
    this.#retry(wait);
    this.#holdsBack = true;
  }

  /** All pages are told at once: each begins at a moment of its own. */
  #doWithout() {
    if (this.#poller) return this.#retry(about(AGAIN_MS));
    const soon = Math.random() * RESTART_MS;
    if (this.#polls) return this.#poll(soon);
    if (this.state !== "reloading") return this.#retry(soon, "reloading");
    this.emit("resync", {});
    return this.#retry(about(RELOAD_MS), "reloading");
  }

  /** @param {boolean} welcomed */
  async #comeBack(welcomed) {
    if (this.#poller) return this.#retry(about(AGAIN_MS));
    this.#retry();
    const blocked = this.#polls && !welcomed && (await httpWorks(this.#http("/health/live")));
    if (this.#poller || ["live", "closed"].includes(this.state)) return;
    this.#blocked = blocked ? this.#blocked + 1 : 0;
    if (this.#blocked >= BLOCKED_AFTER) this.#poll();
  }

  /** @param {SocketState} state what the page is without a socket, unless it polls: then the poller says it */
  #retry(wait = this.#backoff.next(), state = this.#without()) {
    clearTimeout(this.#timer);
    if (!this.#poller) this.#become(state);
    this.#timer = setTimeout(() => this.#open(), wait);
  }

  /** @returns {SocketState} */
  #without() {
    return navigator.onLine ? "reconnecting" : "offline";
  }

  #hurry = () => {
    if (this.#isClosed || this.#waitsToBeSeen) return;
    this.#poller?.now();
    if (this.#link) this.#link.beat();
    else if (!this.#holdsBack) this.#open();
  };

  #lost = () => {
    if (this.#link) this.#link.fall(LOST);
    else if (!this.#poller && !this.#isClosed) this.#become("offline");
  };

  #seen = () => {
    this.#waitsToBeSeen = false;
    this.#hurry();
  };

  /** @param {"closed" | "unauthenticated" | "forbidden"} why */
  #end(why) {
    if (this.#isClosed) return;
    this.#unwatch();
    clearTimeout(this.#timer);
    this.#stopPolling();
    this.#become("closed");
    this.#link?.fall(LOST);
    this.#commands.fail("closed");
    if (why !== "closed") this.emit(why, {});
  }

  /** @param {SocketState} state */
  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.emit("state", state);
  }

  // --- what the server says ---------------------------------------------------------------------------------------

  /** @param {Frame} frame */
  #receive = (frame) => {
    this.heardAt = Date.now();
    this.#renewal.heard(frame);
    if (frame.type === "connection") this.#welcome(frame);
    else if (!("data" in frame)) this.#answer(frame);
    else if (frame.id === undefined) this.#deliver(frame);
    else this.#event(frame);
  };

  /** @param {Connected} frame */
  #welcome(frame) {
    if (!this.#cursor.claim(userOf(frame.channels))) {
      this.#reopen();
      return;
    }
    const { recovered, last_event_id: head, epoch } = frame;
    if (recovered) this.#cursor.epoch = epoch;
    else this.#cursor.reset(head, epoch);
    this.#blocked = 0;
    this.#stopPolling();
    this.#become("live");
    this.#deliver(frame);
    this.emit("connected", frame);
    if (recovered === false) this.emit("resync", frame);
    // What was missed is on its way. The answer comes behind it: up to there all was told.
    if (recovered) this.#link?.beat();
    this.#sayWhatChanged();
    this.#commands.again((message) => this.#ifLive(message));
  }

  /** Of the channels, since the address of this link was written. */
  #sayWhatChanged() {
    for (const channel of this.#wanted) if (!this.#asked.has(channel)) this.subscribe(channel);
    for (const channel of this.#asked) if (!this.#wanted.has(channel)) this.unsubscribe(channel);
  }

  /** The position was another user's: their own is known now. */
  #reopen() {
    this.#link?.abandon();
    this.#link = null;
    this.#open();
  }

  /** @param {EventFrame} frame of the log */
  #event(frame) {
    if (this.#cursor.take(frame.id ?? 0)) this.#deliver(frame);
  }

  /** @param {Exclude<FlatFrame, Connected>} frame */
  #answer(frame) {
    if (frame.type === "heartbeat" || frame.type === "subscribed") this.#cursor.move(frame.last_event_id);
    if (frame.type === "error") this.#refusedChannel(frame.code, frame.ref ?? "");
    if (frame.type === "ack" || frame.type === "error") this.#commands.settle(frame);
    if (frame.type === "restart") this.#toldMs = restartMs(frame.retry_in);
    this.#deliver(frame);
  }

  /**
   * Forgets it, or asks again a little later.
   * @param {string} code
   * @param {string} channel
   */
  #refusedChannel(code, channel) {
    if (REFUSALS.has(code)) this.#wanted.delete(channel);
    if (LATER.has(code)) setTimeout(() => this.#wanted.has(channel) && this.subscribe(channel), RATE_MS);
  }

  /** @param {Frame} frame */
  #deliver(frame) {
    this.emit("*", frame);
    if (!this.#batch?.take(frame)) this.#tell(frame.type, frame);
  }

  /**
   * @param {keyof SocketEvents} type
   * @param {unknown} value a frame of this type, or an array of them
   */
  #tell(type, value) {
    this.emit(type, /** @type {any} */ (value));
  }

  // --- where sockets are blocked ----------------------------------------------------------------------------------

  /** @param {string} path */
  #http(path) {
    const url = new URL(path, this.#url);
    url.protocol = this.#url.protocol.replace("ws", "http");
    return url;
  }

  #poll(wait = 0) {
    this.#commands.fail("no_socket");
    const client = {
      cursor: this.#cursor,
      token: this.#token,
      channels: this.#wanted,
      /** @param {EventFrame[]} events */
      told: (events) => {
        this.heardAt = Date.now();
        this.#become("polling");
        for (const event of events) this.#event(event);
      },
      gone: () => this.emit("resync", {}),
      switchedOff: () => {
        this.heardAt = Date.now();
        this.#become("reloading");
        this.emit("resync", {});
      },
      denied: () => this.#end("unauthenticated"),
      failed: () => this.#become(this.#without()),
    };
    this.#poller = new Poller(this.#http("/api/v1/"), client, wait);
    this.#become(this.#without());
    this.#retry(about(AGAIN_MS));
  }

  #stopPolling() {
    this.#poller?.stop();
    this.#poller = null;
  }
}
