/** A fake server for a page's socket. */
import { pass, settled } from "../../../web/tests/js/page.mjs";

/** The server of the current test. */
let server;

class FakeConnection {
  static OPEN = 1;
  readyState = 1;
  #server = server;

  constructor(address) {
    this.query = Object.fromEntries(new URL(address).searchParams);
    server.connections.push(this);
    if (server.refuses) setImmediate(() => this.end(1011));
  }

  send(text) {
    this.#server.messages.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  /** Closes the socket from the server's side. */
  end(code) {
    this.readyState = 3;
    this.onclose?.({ code });
  }
}

globalThis.WebSocket = FakeConnection;

/**
 * The server of one page. The test accepts its connections, sends it frames and answers its requests.
 * `connections`: all connections that the page opened. `messages`: all messages that it sent. `emitted`: the name and value of all
 * events that its socket emitted. `requests`: the path and query of all its requests. `responses`: by path, a function that makes
 * the Response from the query. `refuses`: whether new connections are closed at once.
 */
export class FakeServer {
  connections = [];
  messages = [];
  emitted = [];
  requests = [];
  responses = {};
  refuses = false;

  constructor() {
    server = this;
    globalThis.fetch = async (url) => {
      const { pathname: path, searchParams } = new URL(url);
      const query = Object.fromEntries(searchParams);
      this.requests.push({ path, ...query });
      return this.responses[path]?.(query) ?? new Response("", { status: 404 });
    };
  }

  /** Closes the previous page and opens one with a socket. */
  async open(options = {}, endpoint = "/api/v1/websocket/ws/office") {
    const { LuckyGasSocket } = await import("/static/realtime/client.js");
    this.closePage();
    this.emitted = [];
    this.socket = new LuckyGasSocket(endpoint, options);
    for (const name of ["state", "resync", "connected", "close", "unauthenticated", "forbidden", "*"])
      this.socket.on(name, (value) => this.emitted.push([name, value]));
    await settled();
  }

  closePage() {
    this.socket?.close();
  }

  /** The query of the newest connection's URL. */
  get query() {
    return this.connections.at(-1).query;
  }

  /** The values of all emitted events of this name. */
  emittedValues(name) {
    return this.emitted.filter(([each]) => each === name).map(([, value]) => value);
  }

  /** The ids of the events that the page has received. */
  get ids() {
    return this.emittedValues("*").flatMap(({ id }) => id ?? []);
  }

  /** Opens a page and accepts its connection. `fields` are those of the connection frame. */
  async openLive(options = {}, fields = {}) {
    await this.open(options);
    await this.accept(fields);
  }

  /** Sends the connection frame. */
  accept({ head = 10, recovered = null, user = 1, ...fields } = {}) {
    const usual = { epoch: "e1", channels: [`user:${user}`, "system"], heartbeat_interval: 30 };
    const frame = { type: "connection", status: "connected", last_event_id: head, recovered };
    return this.send({ ...frame, ...usual, ...fields });
  }

  async send(frame) {
    this.connections.at(-1).onmessage({ data: JSON.stringify(frame) });
    await settled();
  }

  async event(...ids) {
    for (const id of ids) await this.send({ type: "order.updated", id, channel: "orders", data: {} });
  }

  async closeConnection(code = 1011) {
    this.connections.at(-1).end(code);
    await settled();
  }

  /** Lets time pass, and returns the number of connections opened so far. */
  async connectionsAfter(seconds) {
    await pass(seconds * 1000);
    return this.connections.length;
  }
}

/** Hides the tab, or shows it again. */
export async function setVisibility(visibility) {
  document.visibilityState = visibility;
  document.hidden = visibility === "hidden";
  document.dispatchEvent(new Event("visibilitychange"));
  await settled();
}

/** Turns the browser's network on or off. */
export async function setOnline(isOnline) {
  navigator.onLine = isOnline;
  window.dispatchEvent(new Event(isOnline ? "online" : "offline"));
  await settled();
}
