/** Sends the driver's position while an order is on the road, and shows whether the office receives it. */
/** @import { DriverLocation, Envelope } from "types/events" */
/** @import { LuckyGasSocket } from "../../realtime/client.js" */
import { find, pageData } from "../../web/page.js";
import { clockOffset, now } from "../../web/server-clock.js";

/** Positions are sent together, at most once in this time. */
const SEND_MS = 2_000;
/** The maximum age of a position that is still sent. */
const MAX_AGE_MS = 60_000;
/** How long to wait for the server's confirmation of a position. After that the position counts as lost. */
const CONFIRM_TIMEOUT_MS = 10_000;
const MS_TO_KMH = 3.6;
/** The ranges that the server accepts (km/h, degrees from north, metres). Sensors also report -1, NaN or impossible values. */
const LIMITS = pageData().limits.motion;

/**
 * @param {number | null} value
 * @param {[number, number]} limits
 */
const isWithin = (value, [min, max]) => value !== null && value >= min && value <= max;

/** @typedef {ReturnType<typeof positionOf>} Sent */

/**
 * When a position was taken, in milliseconds since 1970. An impossible timestamp (too old, in the future, NaN) counts as now.
 * @param {GeolocationPosition} fix
 */
function takenAt({ timestamp }) {
  const [stamp, received] = [timestamp + (clockOffset() ?? 0), now()];
  return stamp > received - MAX_AGE_MS && stamp <= received ? stamp : received;
}

/**
 * The position in the server's format, without values out of range; null if the coordinates are invalid.
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

/** @typedef {{ position: NonNullable<Sent>, at: number }} Fix */

export class Position {
  /**
   * The newest position; null if none is shared.
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
   * When the oldest unconfirmed position was sent (`performance.now()`); null if all are confirmed.
   * @type {number | null}
   */
  #unconfirmedSince = null;
  /** When the oldest unconfirmed position was taken, in milliseconds since 1970. */
  #unconfirmedTime = 0;
  #isConfirmed = false;

  /**
   * @param {LuckyGasSocket} socket
   * @param {number} driver
   */
  constructor(socket, driver) {
    this.#socket = socket;
    this.#driver = driver;
    socket.on("driver.location", this.#handleConfirmation);
  }

  /**
   * Starts or stops sharing the position.
   * @param {boolean} isOnTheRoad
   */
  share(isOnTheRoad) {
    if (isOnTheRoad && this.#watch === null) this.#begin();
    else if (!isOnTheRoad && this.#watch !== null) this.#end(this.#watch);
  }

  #begin() {
    if (!navigator.geolocation) return this.#show(gettext("This browser cannot share your position."));
    this.#watch = navigator.geolocation.watchPosition(this.#handleFix, this.#handleError, {
      enableHighAccuracy: true,
      maximumAge: 5_000,
    });
    return this.#show(gettext("Looking for your position…"));
  }

  /** @param {number} watch */
  #end(watch) {
    navigator.geolocation.clearWatch(watch);
    clearTimeout(this.#timer ?? undefined);
    this.#watch = this.#timer = this.last = this.#unconfirmedSince = null;
    this.#isKnown = this.#isConfirmed = false;
    this.#waiting = [];
    find("#sharing").hidden = true;
  }

  /** @param {string} text */
  #show(text, isShared = false) {
    const line = find("#sharing");
    line.hidden = false;
    line.classList.toggle("good", isShared);
    if (line.textContent !== text) line.textContent = text;
  }

  /** @param {GeolocationPosition} fix */
  #handleFix = (fix) => {
    if (this.#watch === null) return;
    const at = takenAt(fix);
    const position = positionOf(fix, at);
    if (position === null) return this.#handleError();
    this.last = { position, at };
    this.#waiting.push(this.last);
    this.#isKnown = true;
    this.showSharing();
    if (this.#timer === null) this.#send();
  };

  /**
   * Handles the server's confirmation: after the office, the server also sends each position to the driver's page.
   * @param {Envelope<"driver.location", DriverLocation>} frame
   */
  #handleConfirmation = ({ data }) => {
    if (data.driver_id !== this.#driver || this.#unconfirmedSince === null) return;
    // After connecting, the server first sends the last position that it stored, which confirms nothing.
    if (Date.parse(data.timestamp) < this.#unconfirmedTime - CONFIRM_TIMEOUT_MS) return;
    [this.#unconfirmedSince, this.#isConfirmed] = [null, true];
    this.showSharing();
  };

  /** Shows whether the office receives the position: only over a live socket, and only after a confirmation. */
  showSharing() {
    if (!this.#isKnown) return;
    if (this.#socket.state !== "live") this.#show(gettext("Your position is not shared: no live connection."));
    else if (this.#isConfirmed) this.#show(gettext("Your position is shared"), true);
    else if (this.#isLost())
      this.#show(gettext("Your position is not shared: the office does not receive it at the moment."));
  }

  /** Queues the last position again if no newer one waits: a driver who stands still has no new one. */
  #resend() {
    this.#isConfirmed = false;
    this.showSharing();
    if (!this.#waiting.length && this.last) this.#waiting.push(this.last);
  }

  #isLost() {
    return this.#unconfirmedSince !== null && performance.now() - this.#unconfirmedSince > CONFIRM_TIMEOUT_MS;
  }

  /** @param {GeolocationPositionError} [error] */
  #handleError = (error) => {
    this.#isKnown = false;
    const isForbidden = error && error.code === error.PERMISSION_DENIED;
    this.#show(
      isForbidden
        ? gettext("Your position is not shared. Please allow it in the browser's settings.")
        : gettext("Your position is unknown at the moment."),
    );
  };

  /** Sends all waiting positions in one message. Repeats every SEND_MS while positions wait or are unconfirmed. */
  #send() {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#waiting.length || this.#unconfirmedSince !== null) this.#send();
    }, SEND_MS);
    if (this.#isLost()) this.#resend();
    this.#waiting = this.#waiting.filter(({ at }) => now() - at < MAX_AGE_MS);
    if (this.#socket.state !== "live" || !this.#waiting.length) return;
    if (this.#unconfirmedSince === null)
      [this.#unconfirmedSince, this.#unconfirmedTime] = [performance.now(), this.#waiting[0].at];
    const locations = this.#waiting.splice(0).map(({ position }) => position);
    this.#socket.send({ type: "location_update", locations }).catch(() => {}); // the socket's state shows the failure
  }
}
