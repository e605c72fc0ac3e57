/** Says where the driver is, while an own order is on the road and never else, and shows that it does. */
/** @import { DriverLocation, Envelope } from "types/events" */
/** @import { LuckyGasSocket } from "../../realtime/client.js" */
import { find, pageData } from "../../web/page.js";
import { clockOffset, now } from "../../web/server-clock.js";

const EVERY_MS = 2_000;
/** What could not be said in this time nobody asks for any more. */
const OLDEST_MS = 60_000;
/** So long after the page said a position the office has it, or does not. */
const TOLD_MS = 10_000;
const MS_TO_KMH = 3.6;
/** What the server takes (km/h, degrees from north, metres): sensors also give -1, NaN or figures from another world. */
const LIMITS = pageData().limits.motion;

/**
 * @param {number | null} value
 * @param {[number, number]} limits
 */
const isWithin = (value, [least, most]) => value !== null && value >= least && value <= most;

/** @typedef {ReturnType<typeof positionOf>} Said */

/**
 * Milliseconds since 1970. A stamp that cannot be right (years old, in the future, no number) counts as of now.
 * @param {GeolocationPosition} fix
 */
function takenAt({ timestamp }) {
  const [stamp, received] = [timestamp + (clockOffset() ?? 0), now()];
  return stamp > received - OLDEST_MS && stamp <= received ? stamp : received;
}

/**
 * As the server wants it; null where it is no place.
 * @param {GeolocationPosition} fix
 * @param {number} at
 */
function positionOf({ coords }, at) {
  const { latitude, longitude, speed, heading, accuracy } = coords;
  if (!isWithin(latitude, [-90, 90]) || !isWithin(longitude, [-180, 180])) return null;
  const motion = Object.entries({ speed: speed && speed * MS_TO_KMH, heading, accuracy });
  const known = motion.filter(([name, value]) => isWithin(value, LIMITS[name]));
  return { latitude, longitude, ...Object.fromEntries(known), timestamp: new Date(at).toISOString() };
}

/** @typedef {{ position: NonNullable<Said>, at: number }} Fix */

export class Position {
  /**
   * The newest position; null where none is shared.
   * @type {Fix | null}
   */
  last = null;
  /** @type {number | null} */
  #watch = null;
  /** @type {Fix[]} */
  #waiting = [];
  /** @type {number | null} */
  #timer = null;
  #isKnown = false;
  #socket;
  #driver;
  /**
   * When the first position was said that nobody has told back yet (`performance.now()`); null: none. And of when it was.
   * @type {number | null}
   */
  #unheardAt = null;
  #saidAt = 0;
  /** Whether the office has what was said, as far as is known. */
  #isTold = false;

  /**
   * @param {LuckyGasSocket} socket
   * @param {number} driver
   */
  constructor(socket, driver) {
    this.#socket = socket;
    this.#driver = driver;
    socket.on("driver.location", this.#heard);
  }

  /**
   * Whether to share, from now on.
   * @param {boolean} isOnTheRoad
   */
  share(isOnTheRoad) {
    if (isOnTheRoad && this.#watch === null) this.#begin();
    else if (!isOnTheRoad && this.#watch !== null) this.#end(this.#watch);
  }

  #begin() {
    if (!navigator.geolocation) return this.#tell(gettext("This browser cannot share your position."));
    this.#watch = navigator.geolocation.watchPosition(this.#fixed, this.#failed, {
      enableHighAccuracy: true,
      maximumAge: 5_000,
    });
    return this.#tell(gettext("Looking for your position…"));
  }

  /** @param {number} watch */
  #end(watch) {
    navigator.geolocation.clearWatch(watch);
    clearTimeout(this.#timer ?? undefined);
    this.#watch = this.#timer = this.last = this.#unheardAt = null;
    this.#isKnown = this.#isTold = false;
    this.#waiting = [];
    find("#sharing").hidden = true;
  }

  /** @param {string} words */
  #tell(words, isShared = false) {
    const line = find("#sharing");
    line.hidden = false;
    line.classList.toggle("good", isShared);
    if (line.textContent !== words) line.textContent = words;
  }

  /** @param {GeolocationPosition} fix */
  #fixed = (fix) => {
    if (this.#watch === null) return;
    const at = takenAt(fix);
    const position = positionOf(fix, at);
    if (position === null) return this.#failed();
    this.last = { position, at };
    this.#waiting.push(this.last);
    this.#isKnown = true;
    this.lineChanged();
    if (this.#timer === null) this.#say();
  };

  /**
   * The server tells a driver's own page too, once it has told the office.
   * @param {Envelope<"driver.location", DriverLocation>} frame
   */
  #heard = ({ data }) => {
    if (data.driver_id !== this.#driver || this.#unheardAt === null) return;
    // Whoever connects is told the one before first.
    if (Date.parse(data.timestamp) < this.#saidAt - TOLD_MS) return;
    [this.#unheardAt, this.#isTold] = [null, true];
    this.lineChanged();
  };

  /** Says whether the office sees the position: it does over the socket alone, and where the server has told it. */
  lineChanged() {
    if (!this.#isKnown) return;
    if (this.#socket.state !== "live") this.#tell(gettext("Your position is not shared: there is no line."));
    else if (this.#isTold) this.#tell(gettext("Your position is shared"), true);
    else if (this.#isLost())
      this.#tell(gettext("Your position is not shared: the office does not get it at the moment."));
  }

  /** Who stands still has nothing new to say. */
  #askAgain() {
    this.#isTold = false;
    this.lineChanged();
    if (!this.#waiting.length && this.last) this.#waiting.push(this.last);
  }

  #isLost() {
    return this.#unheardAt !== null && performance.now() - this.#unheardAt > TOLD_MS;
  }

  /** @param {GeolocationPositionError} [error] */
  #failed = (error) => {
    this.#isKnown = false;
    const isForbidden = error && error.code === error.PERMISSION_DENIED;
    this.#tell(
      isForbidden
        ? gettext("Your position is not shared: allow it in the settings of the browser.")
        : gettext("Your position is not known at the moment."),
    );
  };

  /** All that waits in one message, so often at most. */
  #say() {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#waiting.length || this.#unheardAt !== null) this.#say();
    }, EVERY_MS);
    if (this.#isLost()) this.#askAgain();
    this.#waiting = this.#waiting.filter(({ at }) => now() - at < OLDEST_MS);
    if (this.#socket.state !== "live" || !this.#waiting.length) return;
    if (this.#unheardAt === null) [this.#unheardAt, this.#saidAt] = [performance.now(), this.#waiting[0].at];
    const locations = this.#waiting.splice(0).map(({ position }) => position);
    this.#socket.send({ type: "location_update", locations }).catch(() => {}); // the line is gone: it says so itself
  }
}
