/**
 * The WebSocket client for pages. docs/realtime.md describes the protocol.
 *
 *     import { LuckyGasSocket } from "/static/realtime/client.js";
 *     const socket = new LuckyGasSocket("/api/v1/websocket/ws/office", { since, epoch });
 *     socket.on("order.status_changed", ({ data }) => draw(data)).on("resync", () => location.reload());
 *
 * It delivers every event once and in order, across failures of the connection, the server and the network.
 */
/** @import { Connected, EventFrame, FlatFrame, Frame, Message, SocketEvents, SocketState } from "types/events" */
/** @import { Closed } from "./link.js" */
/** @import { Source, Value } from "./token.js" */
import { Backoff, jitter, serverWaitMs } from "../web/backoff.js";
import { watchPage } from "../web/lifecycle.js";
import { gather } from "../web/page.js";
import { setServerTime } from "../web/server-clock.js";
import { CommandError, Commands, RETRY_MS, RETRYABLE } from "./commands.js";
import { Cursor, userOf } from "./cursor.js";
import { Emitter } from "./emitter.js";
import { FORBIDDEN, Link, LOST, RESTART, SWITCHED_OFF, TOO_MANY_CONNECTIONS, UNAUTHENTICATED } from "./link.js";
import { httpWorks, Poller } from "./polling.js";
import { Renewal, Token } from "./token.js";

/** A link that lasted this long resets the backoff. */
const STABLE_MS = 10_000;
/** After this many links in a row that failed although HTTP works, sockets count as blocked. */
const BLOCKED_AFTER = 3;
/** Errors by which the server refuses a channel permanently. */
const CHANNEL_REFUSALS = new Set(["forbidden", "unknown_channel", "too_many_channels"]);
/** How often the client retries a socket while it polls. */
const SOCKET_AGAIN_MS = 60_000;
/** How often a page reloads its rows while events are turned off. */
const RELOAD_MS = 30_000;
const RESTART_MS = 5_000;
const MAX_RESTART_SECONDS = 60;

/**
 * `state`: `connecting`, `live`, `reconnecting`, `offline`, `polling`, `reloading` (events are turned off, and `resync` is
 * emitted about every 30 s), `closed`. `heardAt`: when the server last sent anything, in milliseconds since 1970 (null: never).
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
  /** @type {{ type: keyof SocketEvents, add: (frame: Frame) => void } | null} */
  #batch;
  #mayPoll;
  /**
   * The channels that the page subscribed to, and those that the address of the link named.
   * @type {Set<string>}
   */
  #channels = new Set();
  /** @type {Set<string>} */
  #addressed = new Set();
  #commands = new Commands();
  #backoff = new Backoff();
  /** @type {Link | null} */
  #link = null;
  /** @type {Poller | null} */
  #poller = null;
  /** @type {number | undefined} */
  #timer;
  /** Counts the attempts to open a link: an older one that still waits for its token gives up. */
  #attempt = 0;
  #blocked = 0;
  /**
   * The wait that the server announced before a restart.
   * @type {number | null}
   */
  #restartMs = null;
  #waitsForRestart = false;
  #waitsUntilVisible = false;
  #unwatch;

  /**
   * @typedef {object} Options
   * @property {Value | Source} [token]
   * @property {string | number | null} [since]
   * @property {string | null} [epoch]
   * @property {number | string | null} [user]
   * @property {boolean} [remember]
   * @property {boolean} [poll]
   * @property {{ type: keyof SocketEvents, ms: number } | null} [batch]
   */

  /**
   * - `url`: the endpoint, also relative to the page.
   * - `token`: a JWT, or a function that returns one or a promise of one. Without it the session cookie is used.
   * - `since`, `epoch`: resume after this event (`Last-Event-Id` of the rows that the page shows) of this log
   *   (`Last-Event-Epoch`). Without them the client resumes from the user's stored cursor.
   * - `user`: the id of the user, if the page knows it; saves a connection on the first visit.
   * - `remember`: false neither stores nor uses the user's cursor.
   * - `poll`: false if there is no event log over HTTP to fall back on.
   * - `batch`: `{type: "driver.location", ms: 250}`: handlers of that type get arrays, at most once in `ms`.
   * @param {string} url
   * @param {Options} options
   */
  constructor(url, { token = null, since = null, epoch = null, user = null, remember, poll, batch = null } = {}) {
    super();
    this.#url = new URL(url, location.href);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    // The link from an SMS belongs to an order, not to a user.
    const isPersonal = !this.#url.pathname.includes("/ws/track/");
    this.#cursor = new Cursor({ since, epoch, user, remember: remember ?? isPersonal });
    this.#token = new Token(token);
    this.#renewal = new Renewal(this.#token, (message) => this.#sendIfLive(message));
    this.#mayPoll = poll ?? isPersonal;
    this.#batch = batch && { ...batch, add: gather(batch.ms, (frames) => this.#emitAs(batch.type, frames)) };
    this.#unwatch = watchPage({ online: this.#reconnectNow, offline: this.#onOffline, visible: this.#onVisible });
    this.#open();
  }

  /** The id of the last event received. */
  get lastEventId() {
    return this.#cursor.id;
  }

  /**
   * Subscribes from the next event on, and again after each reconnection. A refusal is an `error` frame with `ref: channel`.
   * @param {string} channel
   */
  subscribe(channel) {
    this.#channels.add(channel);
    this.#sendIfLive({ type: "subscribe", channel, ref: channel });
    return this;
  }

  /** @param {string} channel */
  unsubscribe(channel) {
    this.#channels.delete(channel);
    this.#sendIfLive({ type: "unsubscribe", channel });
    return this;
  }

  /**
   * Sends a message. One with a `ref` (orders and deliveries get one) is sent again after reconnections until it is answered, and
   * the promise resolves with its `ack`. Others resolve once sent. Rejects with a `CommandError`.
   * @param {Message} message
   */
  async send(message) {
    if (this.#isClosed) throw new CommandError("closed");
    if (this.#poller) throw new CommandError("no_socket");
    if (Commands.expectsAnswer(message)) return this.#commands.add(message, (whole) => this.#sendIfLive(whole));
    if (this.state !== "live") throw new CommandError("no_socket");
    return this.#link?.send(message);
  }

  get #isClosed() {
    return this.state === "closed";
  }

  /** Closes the socket permanently. */
  close() {
    this.#end("closed");
  }

  // --- the link ---------------------------------------------------------------------------------------------------

  async #open() {
    clearTimeout(this.#timer);
    this.#waitsForRestart = false;
    if (this.#link || this.#isClosed) return;
    const attempt = ++this.#attempt;
    const token = await this.#token.value().catch(() => undefined);
    if (attempt !== this.#attempt || this.#link || this.#isClosed) return;
    if (token === undefined) {
      this.#openLater();
      return;
    }
    /** @param {Message} message */
    const sent = (message) => this.emit("sent", message);
    this.#link = new Link(this.#address(token), { received: this.#receive, sent, closed: this.#linkClosed });
  }

  /** @param {string | null} token */
  #address(token) {
    const address = new URL(this.#url);
    const { id, epoch } = this.#cursor;
    this.#addressed = new Set(this.#channels);
    const since = id === null ? null : String(id);
    const query = { token, since, epoch, channels: [...this.#addressed].join(",") || null };
    for (const [name, value] of Object.entries(query)) if (value !== null) address.searchParams.set(name, value);
    return address;
  }

  /** @param {Message} message */
  #sendIfLive(message) {
    if (this.state === "live") this.#link?.send(message);
  }

  /** @param {Closed} closed */
  #linkClosed = async ({ code, wasGreeted, heldMs }) => {
    this.#link = null;
    this.#renewal.stop();
    if (heldMs >= STABLE_MS) {
      this.#backoff.reset();
      this.#token.accepted();
    }
    this.emit("close", { code });
    if (this.#isClosed) return;
    if (code === UNAUTHENTICATED) this.#tokenRefused();
    else if (code === FORBIDDEN) this.#end("forbidden");
    else if (code === TOO_MANY_CONNECTIONS) this.#waitUntilVisible();
    else if (SWITCHED_OFF.includes(code)) this.#switchedOff();
    else if (RESTART.includes(code) || this.#restartMs !== null) this.#openAfterRestart();
    else await this.#reconnect(wasGreeted);
  };

  #tokenRefused() {
    if (!this.#token.refused()) return this.#end("unauthenticated");
    this.#setState(this.#disconnected());
    this.#open();
  }

  /** The user has too many windows open; this one reconnects when it becomes visible. */
  #waitUntilVisible() {
    this.#waitsUntilVisible = true;
    this.#setState("offline");
  }

  /** Waits the time that the server gave this client. Nothing may open a link sooner. */
  #openAfterRestart() {
    const wait = this.#restartMs ?? Math.random() * RESTART_MS;
    this.#restartMs = null;
    this.#openLater(wait);
    this.#waitsForRestart = true;
  }

  /** All pages get this at once, so each starts after a random wait. */
  #switchedOff() {
    if (this.#poller) return this.#openLater(jitter(SOCKET_AGAIN_MS));
    const soon = Math.random() * RESTART_MS;
    if (this.#mayPoll) return this.#poll(soon);
    if (this.state !== "reloading") return this.#openLater(soon, "reloading");
    this.emit("resync", {});
    return this.#openLater(jitter(RELOAD_MS), "reloading");
  }

  /** @param {boolean} wasGreeted */
  async #reconnect(wasGreeted) {
    if (this.#poller) return this.#openLater(jitter(SOCKET_AGAIN_MS));
    this.#openLater();
    const blocked = this.#mayPoll && !wasGreeted && (await httpWorks(this.#http("/health/live")));
    if (this.#poller || ["live", "closed"].includes(this.state)) return;
    this.#blocked = blocked ? this.#blocked + 1 : 0;
    if (this.#blocked >= BLOCKED_AFTER) this.#poll();
  }

  /** @param {SocketState} state until the link opens; ignored while polling, when the poller sets the state */
  #openLater(wait = this.#backoff.next(), state = this.#disconnected()) {
    clearTimeout(this.#timer);
    if (!this.#poller) this.#setState(state);
    this.#timer = setTimeout(() => this.#open(), wait);
  }

  /** @returns {SocketState} */
  #disconnected() {
    return navigator.onLine ? "reconnecting" : "offline";
  }

  #reconnectNow = () => {
    if (this.#isClosed || this.#waitsUntilVisible) return;
    this.#poller?.now();
    if (this.#link) this.#link.ping();
    else if (!this.#waitsForRestart) this.#open();
  };

  #onOffline = () => {
    if (this.#link) this.#link.close(LOST);
    else if (!this.#poller && !this.#isClosed) this.#setState("offline");
  };

  #onVisible = () => {
    this.#waitsUntilVisible = false;
    this.#reconnectNow();
  };

  /** @param {"closed" | "unauthenticated" | "forbidden"} why */
  #end(why) {
    if (this.#isClosed) return;
    this.#unwatch();
    clearTimeout(this.#timer);
    this.#stopPolling();
    this.#setState("closed");
    this.#link?.close(LOST);
    this.#commands.fail("closed");
    if (why !== "closed") this.emit(why, {});
  }

  /** @param {SocketState} state */
  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.emit("state", state);
  }

  // --- frames of the server ---------------------------------------------------------------------------------------

  /** @param {Frame} frame */
  #receive = (frame) => {
    this.heardAt = Date.now();
    if (frame.type === "connection" || frame.type === "heartbeat") setServerTime(Date.parse(frame.timestamp));
    this.#renewal.receive(frame);
    if (frame.type === "connection") this.#greeted(frame);
    else if (!("data" in frame)) this.#control(frame);
    else if (frame.id === undefined) this.#deliver(frame);
    else this.#event(frame);
  };

  /** @param {Connected} frame */
  #greeted(frame) {
    if (!this.#cursor.setUser(userOf(frame.channels))) {
      this.#reopen();
      return;
    }
    const { recovered, last_event_id: head, epoch } = frame;
    if (recovered) this.#cursor.epoch = epoch;
    else this.#cursor.reset(head, epoch);
    this.#blocked = 0;
    this.#stopPolling();
    this.#setState("live");
    this.#deliver(frame);
    this.emit("connected", frame);
    if (recovered === false) this.emit("resync", frame);
    // The server is replaying missed events. The response to this heartbeat follows them and has the head of the log.
    if (recovered) this.#link?.ping();
    this.#updateChannels();
    this.#commands.resend((message) => this.#sendIfLive(message));
  }

  /** Sends the changes of the channels since this link's URL was built. */
  #updateChannels() {
    for (const channel of this.#channels) if (!this.#addressed.has(channel)) this.subscribe(channel);
    for (const channel of this.#addressed) if (!this.#channels.has(channel)) this.unsubscribe(channel);
  }

  /** Reconnects to resume from this user's cursor, because the one sent was another user's. */
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
  #control(frame) {
    if (frame.type === "heartbeat" || frame.type === "subscribed") this.#cursor.move(frame.last_event_id);
    if (frame.type === "error") this.#channelRefused(frame.code, frame.ref ?? "");
    if (frame.type === "ack" || frame.type === "error") this.#commands.settle(frame);
    if (frame.type === "restart") this.#restartMs = serverWaitMs(frame.retry_in, MAX_RESTART_SECONDS);
    this.#deliver(frame);
  }

  /**
   * Drops the channel after a permanent refusal; subscribes again later after a temporary one.
   * @param {string} code
   * @param {string} channel
   */
  #channelRefused(code, channel) {
    if (CHANNEL_REFUSALS.has(code)) this.#channels.delete(channel);
    if (RETRYABLE.has(code)) setTimeout(() => this.#channels.has(channel) && this.subscribe(channel), RETRY_MS);
  }

  /** @param {Frame} frame */
  #deliver(frame) {
    this.emit("*", frame);
    if (frame.type === this.#batch?.type) this.#batch.add(frame);
    else this.#emitAs(frame.type, frame);
  }

  /**
   * @param {keyof SocketEvents} type
   * @param {unknown} value a frame of this type, or an array of them
   */
  #emitAs(type, value) {
    this.emit(type, /** @type {never} */ (value));
  }

  // --- polling, if sockets are blocked ----------------------------------------------------------------------------

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
      channels: this.#channels,
      /** @param {EventFrame[]} events */
      received: (events) => {
        this.heardAt = Date.now();
        this.#setState("polling");
        for (const event of events) this.#event(event);
      },
      gone: () => this.emit("resync", {}),
      switchedOff: () => {
        this.heardAt = Date.now();
        this.#setState("reloading");
        this.emit("resync", {});
      },
      denied: () => this.#end("unauthenticated"),
      failed: () => this.#setState(this.#disconnected()),
    };
    this.#poller = new Poller(this.#http("/api/v1/"), client, wait);
    this.#setState(this.#disconnected());
    this.#openLater(jitter(SOCKET_AGAIN_MS));
  }

  #stopPolling() {
    this.#poller?.stop();
    this.#poller = null;
  }
}
