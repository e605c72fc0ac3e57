/** Order statuses from the page data: their groups, allowed moves and labels. */
/** @import { OrderStatus, TimeSlot } from "types/rows" */
import { pageData } from "./page.js";

const { statuses, slots, labels, moves } = pageData();

/**
 * Whether the order is neither delivered nor cancelled.
 * @param {OrderStatus} status
 */
export const isOpen = (status) => statuses.open.includes(status);

/**
 * Whether a driver still has to deliver the order: it is assigned, delivering or arriving.
 * @param {OrderStatus} status
 */
export const isWithDriver = (status) => statuses.with_driver.includes(status);

/** @param {OrderStatus} status */
export const isOnTheRoad = (status) => statuses.on_the_road.includes(status);

/** The statuses of each group, from first to last. */
export const { open, closed, with_driver: withDriver, done_by_driver: doneByDriver } = statuses;

/** @param {OrderStatus} status */
export const statusLabel = (status) => labels.status[status];

/** @param {TimeSlot} slot */
export const slotLabel = (slot) => labels.time_slot[slot];

/**
 * The position of a time slot among all slots, which are sorted by their end: the whole day comes last.
 * @param {TimeSlot} slot
 */
export const slotRank = (slot) => slots.indexOf(slot);

/**
 * The moves that the user of this page may make from this status.
 * @param {OrderStatus} status
 */
export const movesFrom = (status) => moves[status];

/**
 * @param {OrderStatus} from
 * @param {OrderStatus} to
 */
export const mayMove = (from, to) => moves[from].some((move) => move.to === to);

/**
 * Whether `to` comes later in an order's life than `from`.
 * @param {OrderStatus} from
 * @param {OrderStatus} to
 */
export function isOnward(from, to) {
  const life = Object.keys(labels.status);
  return life.indexOf(to) > life.indexOf(from);
}
