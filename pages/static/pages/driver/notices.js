/** What the driver must know beside the stops: what waits, what was refused, how old all of it is. */
import { copyOf, fill, find, money, told } from "../../web/page.js";
import { dayOf, today } from "../../web/server-clock.js";
import { happenedAt } from "./moment.js";
import { statusWord } from "./moves.js";

const { time_zone: timeZone } = told();
const TIME = { timeZone, hour: "2-digit", minute: "2-digit" };
const DAY = { month: "numeric", day: "numeric" };

/** The hour; of another day the day too. */
function clock(moment) {
  const isToday = dayOf(moment) === today();
  return new Intl.DateTimeFormat(document.documentElement.lang, isToday ? TIME : { ...DAY, ...TIME }).format(moment);
}

function what({ number, kind, to, image }) {
  if (kind !== "image") return `${number} ${statusWord(to)}`;
  const word = image === "photo" ? gettext("photo") : gettext("signature");
  return `${number} ${word}`;
}

export function drawWaiting(entries) {
  const box = find("#waiting");
  box.hidden = !entries.length;
  const count = entries.length;
  fill(box, {
    count: interpolate(ngettext("%s report waits for the line", "%s reports wait for the line", count), [count]),
  });
  const lines = entries.map((entry) =>
    Object.assign(document.createElement("li"), {
      textContent: `${clock(happenedAt(entry) ?? entry.at)} ${what(entry)}`,
    }),
  );
  find("[data-list]", box).replaceChildren(...lines);
}

/** One notice an order, until the driver has read it. */
export function drawRefused(entries, putAway) {
  const box = find("#refused");
  const shown = entries.map(({ ref }) => ref).join(" ");
  // An alert that is written again is spoken again.
  if (box.dataset.shown === shown) return;
  box.dataset.shown = shown;
  const orders = new Set(entries.map(({ order }) => order));
  const notices = [...orders].map((order) =>
    notice(
      entries.filter((entry) => entry.order === order),
      putAway,
    ),
  );
  box.replaceChildren(...notices);
}

function notice(entries, putAway) {
  const [first, ...later] = entries;
  const element = copyOf("refused-notice");
  fill(element, {
    what: interpolate(gettext("Not accepted: %s"), [what(first)]),
    detail: first.refused.detail,
  });
  find('[data-show="later"]', element).hidden = !later.length;
  fillProof(find('[data-show="proof"]', element), entries.find(({ kind }) => kind === "delivery")?.body);
  find("button", element).addEventListener("click", () => putAway(first.order));
  return element;
}

/** What is now on no server and must be told the office. */
function fillProof(line, body) {
  line.hidden = !body;
  if (!body) return;
  const serials = body.cylinder_serials.join(", ") || "–";
  fill(line, {
    proof: interpolate(gettext("You wrote down: collected %s, serial numbers %s."), [
      money(body.amount_collected),
      serials,
    ]),
  });
}

/** How old the stops are, while they are not kept up to date. */
export function drawAge(loadedAt, isLive) {
  const box = find("#stale");
  box.hidden = isLive || loadedAt === null;
  if (!box.hidden)
    box.textContent = interpolate(gettext("No line. Stops as of %s; what you do is kept and sent later."), [
      clock(loadedAt),
    ]);
}
