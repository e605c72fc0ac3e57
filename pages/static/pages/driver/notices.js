/** Notices above the stops: waiting reports, refused reports, and when stale stops were loaded. */
/** @import { Entry, ProofBody } from "types/driver" */
import { money } from "../../web/money.js";
import { copyTemplate, element, fill, find } from "../../web/page.js";
import { today } from "../../web/server-clock.js";
import { statusLabel } from "../../web/statuses.js";
import { clock, dayAndClock, dayOf } from "../../web/time.js";
import { happenedAt } from "./report-time.js";

/**
 * The time, with the date if that is not today.
 * @param {number} moment
 */
const timeOf = (moment) => (dayOf(moment) === today() ? clock(moment) : dayAndClock(moment));

/** @param {Entry} entry */
function describe(entry) {
  if (entry.kind !== "image") return `${entry.number} ${statusLabel(entry.to)}`;
  const imageLabel = entry.image === "photo" ? gettext("photo") : gettext("signature");
  return `${entry.number} ${imageLabel}`;
}

/** @param {Entry[]} entries */
export function drawWaiting(entries) {
  const box = find("#waiting");
  box.hidden = !entries.length;
  const count = entries.length;
  fill(box, {
    count: interpolate(ngettext("%s report waiting to be sent", "%s reports waiting to be sent", count), [count]),
  });
  const items = entries.map((entry) => element("li", `${timeOf(happenedAt(entry) ?? entry.at)} ${describe(entry)}`));
  find("[data-list]", box).replaceChildren(...items);
}

/**
 * Draws one notice for each order that has refused entries. Its button calls `dismiss(order)`.
 * @param {Entry[]} entries
 * @param {(order: number) => void} dismiss
 */
export function drawRefused(entries, dismiss) {
  const box = find("#refused");
  const refs = entries.map(({ ref }) => ref).join(" ");
  // Writing an alert again would make a screen reader repeat it.
  if (box.dataset.shown === refs) return;
  box.dataset.shown = refs;
  const orders = new Set(entries.map(({ order }) => order));
  const notices = [...orders].map((order) =>
    refusedNotice(
      entries.filter((entry) => entry.order === order),
      dismiss,
    ),
  );
  box.replaceChildren(...notices);
}

/**
 * @param {Entry[]} entries
 * @param {(order: number) => void} dismiss
 */
function refusedNotice(entries, dismiss) {
  const [first, ...later] = entries;
  const shown = copyTemplate("refused-notice");
  fill(shown, {
    what: interpolate(gettext("Not accepted: %s"), [describe(first)]),
    detail: first.refused?.detail,
  });
  find('[data-show="later"]', shown).hidden = !later.length;
  const delivery = entries.find((entry) => entry.kind === "delivery");
  fillProof(find('[data-show="proof"]', shown), delivery?.body);
  find("button", shown).addEventListener("click", () => dismiss(first.order));
  return shown;
}

/**
 * Shows what the driver entered in a refused delivery report, so that they can tell the office.
 * @param {HTMLElement} line
 * @param {ProofBody | undefined} body
 */
function fillProof(line, body) {
  line.hidden = !body;
  if (!body) return;
  const serials = body.cylinder_serials.join(", ") || "–";
  fill(line, {
    proof: interpolate(gettext("You reported: collected %s, serial numbers %s."), [
      money(body.amount_collected),
      serials,
    ]),
  });
}

/**
 * Shows when the stops were loaded, while there are no live updates.
 * @param {number | null} loadedAt
 * @param {boolean} isLive
 */
export function drawAge(loadedAt, isLive) {
  const box = find("#stale");
  box.hidden = isLive || loadedAt === null;
  if (loadedAt === null) return;
  box.textContent = interpolate(gettext("No connection. Stops as of %s. Your reports are saved and sent later."), [
    timeOf(loadedAt),
  ]);
}
