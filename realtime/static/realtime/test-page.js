/** The test page: one socket, a form a message, and every frame both ways. */
import { follow, now } from "../web/server-clock.js";
import { LuckyGasSocket } from "./client.js";

const MOST_FRAMES = 500;
const find = (selector) => document.querySelector(selector);
let socket = null;

function show(direction, frame) {
  const row = document.createElement("li");
  row.className = direction;
  const time = document.createElement("time");
  time.textContent = new Date(now()).toTimeString().slice(0, 8);
  const arrow = document.createElement("span");
  arrow.textContent = { in: "←", out: "→", note: "·" }[direction];
  const text = document.createElement("pre");
  text.textContent = typeof frame === "string" ? frame : JSON.stringify(frame, null, 1);
  row.append(time, arrow, text);
  find("#frames").prepend(row);
  while (find("#frames").children.length > MOST_FRAMES) find("#frames").lastElementChild.remove();
}

function connect({ endpoint, link, token, since, channels }) {
  socket?.close();
  const address = endpoint.endsWith("/") ? endpoint + encodeURIComponent(link) : endpoint;
  const options = { token: token || null, since: since || null, remember: false };
  socket = new LuckyGasSocket(address, options);
  follow(socket);
  for (const channel of channels.split(",")) if (channel.trim()) socket.subscribe(channel.trim());
  socket.on("*", (frame) => show("in", frame)).on("sent", (message) => show("out", message));
  socket.on("state", (state) => show("note", state)).on("close", ({ code }) => show("note", `close ${code}`));
  find("connection-status").hidden = false;
  find("connection-status").socket = socket;
  find("notification-toasts").socket = socket;
}

function send(message) {
  if (!socket) return show("note", "no_socket");
  // An error of the server is shown as the frame it is.
  return socket.send(message).catch((error) => error.frame ?? show("note", error.message));
}

/** The message a form says: what is empty is left out, `details.eta` nests. */
function messageOf(form) {
  const message = { type: form.dataset.type };
  for (const field of form.querySelectorAll("[name]")) {
    if (field.value.trim() === "") continue;
    const path = field.name.split(".");
    const last = path.pop();
    let place = message;
    for (const name of path) place = place[name] ??= {};
    place[last] = valueOf(field);
  }
  return message;
}

/** What should be a number and is none goes as it is: the server's answer to it is of interest here. */
function valueOf({ value, dataset }) {
  const isNumber = dataset.kind === "number" ? Number.isFinite(Number(value)) : /^\d+$/.test(value);
  return dataset.kind !== "text" && isNumber ? Number(value) : value;
}

find("connection-status").hidden = true;
find("#connect").addEventListener("submit", (event) => {
  event.preventDefault();
  connect(Object.fromEntries(new FormData(event.target)));
});
find("#disconnect").addEventListener("click", () => socket?.close());
find("#clear").addEventListener("click", () => find("#frames").replaceChildren());
find("#messages").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  try {
    send("raw" in form.dataset ? JSON.parse(form.elements.raw.value) : messageOf(form));
  } catch (error) {
    show("note", error.message);
  }
});
