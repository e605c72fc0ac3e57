/** A fake server for a page's socket. */
import { pass, settled } from "../../../web/tests/js/page.mjs";

/** The server of the current test. */
let server;

class Link {
  static OPEN = 1;
  readyState = 1;
  #server = server;

  constructor(address) {
    this.query = Object.fromEntries(new URL(address).searchParams);
    server.links.push(this);
    if (server.refuses) setImmediate(() => this.end(1011));
  }

  send(text) {
    this.#server.said.push(JSON.parse(text));
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

globalThis.WebSocket = Link;

/**
 * `links`: every socket the page opened. `said`: every message it sent. `heard`: the events it emitted, by name. `asked`: every
 * request, with its path and query. `answers`: by path, a function that makes the Response from the query.
 */
export class FakeServer {
  links = [];
  said = [];
  heard = [];
  asked = [];
  answers = {};
  refuses = false;

  constructor() {
    server = this;
    globalThis.fetch = async (url) => {
      const { pathname: path, searchParams } = new URL(url);
      const query = Object.fromEntries(searchParams);
      this.asked.push({ path, ...query });
      return this.answers[path]?.(query) ?? new Response("", { status: 404 });
    };
  }

  /** Closes the previous page and opens one with a socket. */
  async open(options = {}, endpoint = "/api/v1/websocket/ws/office") {
    const { LuckyGasSocket } = await import("/static/realtime/client.js");
    this.leave();
    this.heard = [];
    this.socket = new LuckyGasSocket(endpoint, options);
    for (const name of ["state", "resync", "connected", "close", "unauthenticated", "forbidden", "*"])
      this.socket.on(name, (value) => this.heard.push([name, value]));
    await settled();
  }

  leave() {
    this.socket?.close();
  }

  /** The query of the newest link's address. */
  get query() {
    return this.links.at(-1).query;
  }

  of(name) {
    return this.heard.filter(([heard]) => heard === name).map(([, value]) => value);
  }

  /** The ids of the events that the page has received. */
  get ids() {
    return this.of("*").flatMap(({ id }) => id ?? []);
  }

  /** Opens the page's socket and greets it. */
  async live(options = {}, greeting = {}) {
    await this.open(options);
    await this.greet(greeting);
  }

  greet({ head = 10, recovered = null, user = 1, ...fields } = {}) {
    const usual = { epoch: "e1", channels: [`user:${user}`, "system"], heartbeat_interval: 30 };
    const frame = { type: "connection", status: "connected", last_event_id: head, recovered };
    return this.tell({ ...frame, ...usual, ...fields });
  }

  async tell(frame) {
    this.links.at(-1).onmessage({ data: JSON.stringify(frame) });
    await settled();
  }

  async event(...ids) {
    for (const id of ids) await this.tell({ type: "order.updated", id, channel: "orders", data: {} });
  }

  async hangUp(code = 1011) {
    this.links.at(-1).end(code);
    await settled();
  }

  /** Lets time pass, and returns the number of links opened so far. */
  async linksAfter(seconds) {
    await pass(seconds * 1000);
    return this.links.length;
  }
}

/** Hides the tab, or shows it again. */
export async function look(visibility) {
  document.visibilityState = visibility;
  document.hidden = visibility === "hidden";
  document.dispatchEvent(new Event("visibilitychange"));
  await settled();
}

/** Takes the network down, or brings it back. */
export async function network(isThere) {
  navigator.onLine = isThere;
  window.dispatchEvent(new Event(isThere ? "online" : "offline"));
  await settled();
}
