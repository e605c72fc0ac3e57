/** Days and hours as the depot has them, whatever the clock of this machine says of zones. */
import { told } from "../../../web/page.js";
import { now } from "../../../web/server-clock.js";

const { time_zone: timeZone } = told();
const language = document.documentElement.lang;
const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
const hour = new Intl.DateTimeFormat(language, { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const moment = new Intl.DateTimeFormat(language, {
  timeZone,
  month: "numeric",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const amounts = new Map(
  UNITS.map(([unit]) => [unit, new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" })]),
);

export const clock = (when) => hour.format(new Date(when));
export const dayAndClock = (when) => moment.format(new Date(when));
/** “11/23” of “2026-11-23”. */
export const shortDay = (day) => day.split("-").slice(1).map(Number).join("/");

/** The mark of what was reported long after it happened. */
export const laterText = (when) => interpolate(gettext("reported later, of %s"), [clock(when)]);

/** “35 min”: how long ago, in whole units of the largest that fits. */
export function age(when) {
  const seconds = Math.max(0, (now() - Date.parse(when)) / 1000);
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? UNITS.at(-1);
  return amounts.get(unit).format(Math.floor(seconds / size));
}
