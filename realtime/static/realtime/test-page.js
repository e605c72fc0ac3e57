/** The test page: one socket, a form for each message type, and a list of the last sent and received frames. */
/** @import { Message } from "types/events" */
/** @import { CommandError } from "./commands.js" */
import { element, find, findAll } from "../web/page.js";
import { now } from "../web/server-clock.js";
import { LuckyGasSocket } from "./client.js";

const MAX_FRAMES = 500;
const ARROWS = { in: "←", out: "→", note: "·" };
/** @type {LuckyGasSocket | null} */
let socket = null;

/**
 * @param {keyof typeof ARROWS} direction
 * @param {object | string} frame
 */
function show(direction, frame) {
  const row = element("li", "", direction);
  const text = typeof frame === "string" ? frame : JSON.stringify(frame, null, 1);
  const time = new Date(now()).toTimeString().slice(0, 8);
  row.append(element("time", time), element("span", ARROWS[direction]), element("pre", text));
  find("#frames").prepend(row);
  while (find("#frames").children.length > MAX_FRAMES) find("#frames").lastElementChild?.remove();
}

/** @param {Record<string, string>} fields */
function connect({ endpoint, link, token, since, channels }) {
  socket?.close();
  const address = endpoint.endsWith("/") ? endpoint + encodeURIComponent(link) : endpoint;
  const options = { token: token || null, since: since || null, remember: false };
  socket = new LuckyGasSocket(address, options);
  for (const channel of channels.split(",")) if (channel.trim()) socket.subscribe(channel.trim());
  socket.on("*", (frame) => show("in", frame)).on("sent", (message) => show("out", message));
  socket.on("state", (state) => show("note", state)).on("close", ({ code }) => show("note", `close ${code}`));
  find("connection-status").hidden = false;
  find("connection-status").socket = socket;
  find("notification-toasts").socket = socket;
}

/** @param {Message} message */
function send(message) {
  if (!socket) return show("note", "no_socket");
  // An error from the server is already shown as a frame.
  return socket.send(message).catch((/** @type {CommandError} */ error) => error.frame ?? show("note", error.message));
}

/**
 * The message of a form. Empty fields are left out; `details.eta` becomes a nested object.
 * @param {HTMLFormElement} form
 */
function messageOf(form) {
  /** @type {Message} */
  const message = { type: form.dataset.type ?? "" };
  for (const field of /** @type {HTMLInputElement[]} */ (findAll("[name]", form))) {
    if (field.value.trim() !== "") put(message, field.name.split("."), fieldValue(field));
  }
  return message;
}

/**
 * @param {Record<string, unknown>} object
 * @param {string[]} path
 * @param {unknown} value
 */
function put(object, [name, ...rest], value) {
  if (!rest.length) {
    object[name] = value;
    return;
  }
  const inner = { .../** @type {object} */ (object[name]) };
  object[name] = inner;
  put(inner, rest, value);
}

/**
 * The value of a field: a number from a `number` field, or from an `id` field that holds only digits; else a text. So a text in a
 * number field is sent as it is, to test how the server answers.
 * @param {HTMLInputElement} field
 */
function fieldValue({ value, dataset }) {
  const isNumber = dataset.kind === "number" ? Number.isFinite(Number(value)) : /^\d+$/.test(value);
  return dataset.kind !== "text" && isNumber ? Number(value) : value;
}

find("connection-status").hidden = true;
find("#connect").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  const fields = new FormData(/** @type {HTMLFormElement} */ (event.target));
  connect(Object.fromEntries([...fields].map(([name, value]) => [name, String(value)])));
});
find("#disconnect").addEventListener("click", () => socket?.close());
find("#clear").addEventListener("click", () => find("#frames").replaceChildren());
find("#messages").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  try {
    send("raw" in form.dataset ? JSON.parse(find("textarea", form).value) : messageOf(form));
  } catch (error) {
    show("note", String(error));
  }
});
