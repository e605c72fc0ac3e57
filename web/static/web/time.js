/** Formats days and times in the time zone of the business (not of this device) and in the page's language. */
import { pageData } from "./page.js";

/** Undefined on pages that show no times. */
const timeZone = pageData().time_zone;
const language = () => document.documentElement.lang || undefined;
/** @type {Intl.DateTimeFormatOptions} */
const HOUR = { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
// The Swedish locale formats days as ISO 8601.
const isoDay = new Intl.DateTimeFormat("sv", { timeZone });
const hour = new Intl.DateTimeFormat(language(), HOUR);
const moment = new Intl.DateTimeFormat(language(), { ...HOUR, month: "numeric", day: "numeric" });
/** @type {["day" | "hour" | "minute" | "second", number][]} with the seconds of each */
const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

/**
 * The day of a moment: “2026-11-23”.
 * @param {string | number | Date} when
 */
export const dayOf = (when) => isoDay.format(new Date(when));

/**
 * The time of a moment: “14:05”.
 * @param {string | number | Date} when
 */
export const clock = (when) => hour.format(new Date(when));

/**
 * The day and time of a moment: “11/23 14:05”.
 * @param {string | number | Date} when
 */
export const dayAndClock = (when) => moment.format(new Date(when));

/**
 * “11/23” for “2026-11-23”.
 * @param {string} day
 */
export const shortDay = (day) => day.split("-").slice(1).map(Number).join("/");

/**
 * Converts milliseconds to a whole number of the largest unit that fits. The smallest unit is `smallest`.
 * @param {number} ms
 * @param {"minute" | "second"} smallest
 */
function toUnits(ms, smallest) {
  const seconds = Math.max(0, ms / 1000);
  const units = UNITS.filter(([unit]) => unit !== "second" || smallest === "second");
  const [unit, size] = units.find(([, size]) => seconds >= size) ?? units[units.length - 1];
  return { unit, count: Math.floor(seconds / size) };
}

/**
 * Milliseconds as “35 min”.
 * @param {number} ms
 */
export function age(ms) {
  const { unit, count } = toUnits(ms, "minute");
  return new Intl.NumberFormat(language(), { style: "unit", unit, unitDisplay: "short" }).format(count);
}

/**
 * Milliseconds as “3 minutes ago”.
 * @param {number} ms
 */
export function ago(ms) {
  const { unit, count } = toUnits(ms, "second");
  return new Intl.RelativeTimeFormat(language()).format(-count, unit);
}
