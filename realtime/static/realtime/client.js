/**
 * The WebSocket client for pages. docs/realtime.md describes the protocol.
 *
 *     import { LuckyGasSocket } from "/static/realtime/client.js";
 *     const socket = new LuckyGasSocket("/api/v1/websocket/ws/office", { since, epoch });
 *     socket.on("order.status_changed", ({ data }) => draw(data)).on("resync", () => location.reload());
 *
 * It delivers every event of the log once and in order, also after the connection, the server or the network failed. If it cannot
 * resume from its cursor, it emits `resync`: the page must load its state again.
 */
/** @import { Connected, EventFrame, FlatFrame, Frame, Message, SocketEvents, SocketState } from "types/events" */
/** @import { Closed } from "./connection.js" */
/** @import { Source, Value } from "./token.js" */
import { Backoff, jitter, serverWaitMs } from "../web/backoff.js";
import { watchPage } from "../web/lifecycle.js";
import { gather } from "../web/page.js";
import { setServerTime } from "../web/server-clock.js";
import { CommandError, Commands, RETRY_MS, RETRYABLE } from "./commands.js";
import {
  Connection,
  FORBIDDEN,
  LOST,
  RESTART,
  SWITCHED_OFF,
  TOO_MANY_CONNECTIONS,
  UNAUTHENTICATED,
} from "./connection.js";
import { Cursor, userOf } from "./cursor.js";
import { Emitter } from "./emitter.js";
import { httpWorks, Poller } from "./polling.js";
import { Renewal, Token } from "./token.js";

/** A connection that was open for this long resets the backoff. */
const STABLE_MS = 10_000;
/** After this many failed connections in a row while HTTP works, sockets count as blocked. */
const BLOCKED_AFTER = 3;
/** The error codes of a permanent refusal of a channel. */
const CHANNEL_REFUSALS = new Set(["forbidden", "unknown_channel", "too_many_channels"]);
/** About how often the client retries a socket while it polls. */
const SOCKET_AGAIN_MS = 60_000;
/** About how often a page reloads its rows while events are turned off. */
const RELOAD_MS = 30_000;
/** Maximum random wait after the server closed all sockets at once, if it announced none. */
const RESTART_MS = 5_000;
const MAX_RESTART_SECONDS = 60;

/**
 * `state`: `connecting`, `live`, `reconnecting`, `offline`, `polling`, `reloading` (events are turned off, and `resync` is
 * emitted about every 30 s), `closed`. `receivedAt`: when the server last sent anything, in milliseconds since 1970; null before.
 * @extends {Emitter<SocketEvents>}
 */
export class LuckyGasSocket extends Emitter {
  /** @type {SocketState} */
  state = "connecting";
  /** @type {number | null} */
  receivedAt = null;
  #url;
  #cursor;
  #token;
  #renewal;
  /** @type {{ type: keyof SocketEvents, add: (frame: Frame) => void } | null} */
  #batch;
  #mayPoll;
  /**
   * The channels that the page subscribed to.
   * @type {Set<string>}
   */
  #channels = new Set();
  /**
   * The channels in the URL of the current connection.
   * @type {Set<string>}
   */
  #urlChannels = new Set();
  #commands = new Commands();
  #backoff = new Backoff();
  /** @type {Connection | null} */
  #connection = null;
  /** @type {Poller | null} */
  #poller = null;
  /** @type {number | undefined} */
  #timer;
  /** Counts the attempts to connect: an older attempt that still waits for its token gives up. */
  #attempt = 0;
  #blockedCount = 0;
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
   *   (`Last-Event-Epoch`). Without them the client resumes from the user's stored cursor, if it may use one.
   * - `user`: the id of the user, if the page knows it. With it, a first visit needs no second connection.
   * - `remember`: if false, the client neither stores nor uses the user's cursor.
   * - `poll`: if false, the client does not poll the event log over HTTP while sockets are blocked or turned off.
   *   Both are true by default, except for a tracking link.
   * - `batch`: `{type: "driver.location", ms: 250}`: handlers of that type get arrays of frames, at most one array in `ms` milliseconds.
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

  /** The id up to which the client has received all its events; null if not known yet. */
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
   * Sends a message. A message with a `ref` (messages on orders get one) is sent again after reconnections until it is answered,
   * and the promise resolves with its `ack`. Otherwise it resolves once the message is sent. Rejects with a `CommandError`.
   * @param {Message} message
   */
  async send(message) {
    if (this.#isClosed) throw new CommandError("closed");
    if (this.#poller) throw new CommandError("no_socket");
    if (Commands.expectsAnswer(message)) return this.#commands.add(message, (whole) => this.#sendIfLive(whole));
    if (this.state !== "live") throw new CommandError("no_socket");
    return this.#connection?.send(message);
  }

  get #isClosed() {
    return this.state === "closed";
  }

  /** Closes the socket permanently. */
  close() {
    this.#end("closed");
  }

  // --- the connection ---------------------------------------------------------------------------------------------

  async #open() {
    clearTimeout(this.#timer);
    this.#waitsForRestart = false;
    if (this.#connection || this.#isClosed) return;
    const attempt = ++this.#attempt;
    const token = await this.#token.value().catch(() => undefined);
    if (attempt !== this.#attempt || this.#connection || this.#isClosed) return;
    if (token === undefined) {
      this.#openLater();
      return;
    }
    /** @param {Message} message */
    const onSend = (message) => this.emit("sent", message);
    const client = { onFrame: this.#receive, onSend, onClose: this.#onClose };
    this.#connection = new Connection(this.#connectionUrl(token), client);
  }

  /** @param {string | null} token */
  #connectionUrl(token) {
    const url = new URL(this.#url);
    const { id, epoch } = this.#cursor;
    this.#urlChannels = new Set(this.#channels);
    const since = id === null ? null : String(id);
    const query = { token, since, epoch, channels: [...this.#urlChannels].join(",") || null };
    for (const [name, value] of Object.entries(query)) if (value !== null) url.searchParams.set(name, value);
    return url;
  }

  /** @param {Message} message */
  #sendIfLive(message) {
    if (this.state === "live") this.#connection?.send(message);
  }

  /** @param {Closed} closed */
  #onClose = async ({ code, wasAccepted, openMs }) => {
    this.#connection = null;
    this.#renewal.stop();
    if (openMs >= STABLE_MS) {
      this.#backoff.reset();
      this.#token.markAccepted();
    }
    this.emit("close", { code });
    if (this.#isClosed) return;
    if (code === UNAUTHENTICATED) this.#onTokenRefused();
    else if (code === FORBIDDEN) this.#end("forbidden");
    else if (code === TOO_MANY_CONNECTIONS) this.#waitUntilVisible();
    else if (SWITCHED_OFF.includes(code)) this.#onSwitchedOff();
    else if (RESTART.includes(code) || this.#restartMs !== null) this.#openAfterRestart();
    else await this.#reconnect(wasAccepted);
  };

  #onTokenRefused() {
    if (!this.#token.markRefused()) return this.#end("unauthenticated");
    this.#setState(this.#offlineState());
    this.#open();
  }

  /** The user has too many windows open; this one reconnects when it becomes visible. */
  #waitUntilVisible() {
    this.#waitsUntilVisible = true;
    this.#setState("offline");
  }

  /** Reconnects after the wait that the server announced, else after a random one, and not sooner. */
  #openAfterRestart() {
    const wait = this.#restartMs ?? Math.random() * RESTART_MS;
    this.#restartMs = null;
    this.#openLater(wait);
    this.#waitsForRestart = true;
  }

  /** The server closes all pages' sockets at once, so each page continues after a random wait. */
  #onSwitchedOff() {
    if (this.#poller) return this.#openLater(jitter(SOCKET_AGAIN_MS));
    const soon = Math.random() * RESTART_MS;
    if (this.#mayPoll) return this.#poll(soon);
    if (this.state !== "reloading") return this.#openLater(soon, "reloading");
    this.emit("resync", {});
    return this.#openLater(jitter(RELOAD_MS), "reloading");
  }

  /** @param {boolean} wasAccepted */
  async #reconnect(wasAccepted) {
    if (this.#poller) return this.#openLater(jitter(SOCKET_AGAIN_MS));
    this.#openLater();
    const blocked = this.#mayPoll && !wasAccepted && (await httpWorks(this.#http("/health/live")));
    if (this.#poller || ["live", "closed"].includes(this.state)) return;
    this.#blockedCount = blocked ? this.#blockedCount + 1 : 0;
    if (this.#blockedCount >= BLOCKED_AFTER) this.#poll();
  }

  /** @param {SocketState} state until the connection opens; ignored while polling, because the poller sets the state */
  #openLater(wait = this.#backoff.next(), state = this.#offlineState()) {
    clearTimeout(this.#timer);
    if (!this.#poller) this.#setState(state);
    this.#timer = setTimeout(() => this.#open(), wait);
  }

  /** @returns {SocketState} */
  #offlineState() {
    return navigator.onLine ? "reconnecting" : "offline";
  }

  #reconnectNow = () => {
    if (this.#isClosed || this.#waitsUntilVisible) return;
    this.#poller?.pollNow();
    if (this.#connection) this.#connection.ping();
    else if (!this.#waitsForRestart) this.#open();
  };

  #onOffline = () => {
    if (this.#connection) this.#connection.close(LOST);
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
    this.#connection?.close(LOST);
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
    this.receivedAt = Date.now();
    if (frame.type === "connection" || frame.type === "heartbeat") setServerTime(Date.parse(frame.timestamp));
    this.#renewal.receive(frame);
    if (frame.type === "connection") this.#onConnected(frame);
    else if (!("data" in frame)) this.#receiveFlat(frame);
    else if (frame.id === undefined) this.#deliver(frame);
    else this.#receiveEvent(frame);
  };

  /** @param {Connected} frame */
  #onConnected(frame) {
    if (!this.#cursor.setUser(userOf(frame.channels))) {
      this.#reopen();
      return;
    }
    const { recovered, last_event_id: head, epoch } = frame;
    if (recovered) this.#cursor.epoch = epoch;
    else this.#cursor.reset(head, epoch);
    this.#blockedCount = 0;
    this.#stopPolling();
    this.#setState("live");
    this.#deliver(frame);
    this.emit("connected", frame);
    if (recovered === false) this.emit("resync", frame);
    // The server now replays missed events. The answer to this heartbeat follows them and contains the head of the log.
    if (recovered) this.#connection?.ping();
    this.#updateChannels();
    this.#commands.resend((message) => this.#sendIfLive(message));
  }

  /** Sends the changes of the channels since the connection's URL was built. */
  #updateChannels() {
    for (const channel of this.#channels) if (!this.#urlChannels.has(channel)) this.subscribe(channel);
    for (const channel of this.#urlChannels) if (!this.#channels.has(channel)) this.unsubscribe(channel);
  }

  /** Reconnects to resume from this user's cursor, because the client had sent none or another user's. */
  #reopen() {
    this.#connection?.abandon();
    this.#connection = null;
    this.#open();
  }

  /** @param {EventFrame} frame of the log */
  #receiveEvent(frame) {
    if (this.#cursor.advance(frame.id ?? 0)) this.#deliver(frame);
  }

  /** @param {Exclude<FlatFrame, Connected>} frame */
  #receiveFlat(frame) {
    if (frame.type === "heartbeat" || frame.type === "subscribed") this.#cursor.move(frame.last_event_id);
    if (frame.type === "error") this.#onChannelRefused(frame.code, frame.ref ?? "");
    if (frame.type === "ack" || frame.type === "error") this.#commands.settle(frame);
    if (frame.type === "restart") this.#restartMs = serverWaitMs(frame.retry_in, MAX_RESTART_SECONDS);
    this.#deliver(frame);
  }

  /**
   * Drops the channel after a permanent refusal. Subscribes again after RETRY_MS if the refusal was temporary.
   * @param {string} code
   * @param {string} channel
   */
  #onChannelRefused(code, channel) {
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

  // --- polling, while sockets are blocked or turned off -----------------------------------------------------------

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
      onEvents: (events) => {
        this.receivedAt = Date.now();
        this.#setState("polling");
        for (const event of events) this.#receiveEvent(event);
      },
      onCursorExpired: () => this.emit("resync", {}),
      onSwitchedOff: () => {
        this.receivedAt = Date.now();
        this.#setState("reloading");
        this.emit("resync", {});
      },
      onUnauthenticated: () => this.#end("unauthenticated"),
      onFailure: () => this.#setState(this.#offlineState()),
    };
    this.#poller = new Poller(this.#http("/api/v1/"), client, wait);
    this.#setState(this.#offlineState());
    this.#openLater(jitter(SOCKET_AGAIN_MS));
  }

  #stopPolling() {
    this.#poller?.stop();
    this.#poller = null;
  }
}
