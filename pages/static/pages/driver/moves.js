/** What the driver may do with a stop, and what it is called. The words are literals: gettext gathers them. */
import { told } from "../../web/page.js";

const { labels, moves } = told();

const WORDS = {
  "assigned>delivering": () => gettext("Start"),
  "delivering>arriving": () => gettext("Arriving"),
  "arriving>delivered": () => gettext("Delivered"),
  "delivering>assigned": () => gettext("Not yet: take the start back"),
  "arriving>delivering": () => gettext("Turned away: on the road again"),
};
const ONWARD = { assigned: "delivering", delivering: "arriving", arriving: "delivered" };
const BACK = { delivering: "assigned", arriving: "delivering" };

const may = (from, to) => Boolean(to) && moves[from].some((move) => move.to === to);

function move(from, to) {
  return may(from, to) ? { to, word: WORDS[`${from}>${to}`]() } : null;
}

export const onward = (status) => move(status, ONWARD[status]);
export const back = (status) => move(status, BACK[status]);
export const mayFail = (status) => may(status, "failed");
export const statusWord = (status) => labels.status[status];
export const slotWord = (slot) => labels.time_slot[slot];
