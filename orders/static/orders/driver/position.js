/** Says where the driver is, while an own order is on the road and never else, and shows that it does. */
import { find } from "../page.js";

const EVERY_MS = 2_000;
/** What could not be said in this time nobody asks for any more. */
const OLDEST_MS = 60_000;
const MS_TO_KMH = 3.6;

function positionOf({ coords, timestamp }, behindMs) {
  const { latitude, longitude, speed, heading, accuracy } = coords;
  const said = { latitude, longitude, accuracy, timestamp: new Date(timestamp + behindMs).toISOString() };
  if (speed !== null) said.speed = speed * MS_TO_KMH;
  // Not a number while one stands.
  if (Number.isFinite(heading)) said.heading = heading;
  return said;
}

/** `last`: the newest position, or null where none is shared. */
export class Position {
  last = null;
  #watch = null;
  #waiting = [];
  #timer = null;
  #isKnown = false;
  #socket;
  #behindMs;

  constructor(socket, behindMs) {
    this.#socket = socket;
    this.#behindMs = behindMs;
  }

  /** Whether to share, from now on. */
  share(isOnTheRoad) {
    if (isOnTheRoad && this.#watch === null) this.#begin();
    else if (!isOnTheRoad && this.#watch !== null) this.#end();
  }

  #begin() {
    if (!navigator.geolocation) return this.#tell(gettext("This browser cannot share your position."));
    this.#watch = navigator.geolocation.watchPosition(this.#fixed, this.#failed, { enableHighAccuracy: true, maximumAge: 5_000 });
    return this.#tell(gettext("Looking for your position…"));
  }

  #end() {
    navigator.geolocation.clearWatch(this.#watch);
    clearTimeout(this.#timer);
    this.#watch = this.#timer = this.last = null;
    this.#isKnown = false;
    this.#waiting = [];
    find("#sharing").hidden = true;
  }

  #tell(words, isShared = false) {
    const line = find("#sharing");
    line.hidden = false;
    line.classList.toggle("good", isShared);
    if (line.textContent !== words) line.textContent = words;
  }

  #fixed = (fix) => {
    if (this.#watch === null) return;
    this.last = { position: positionOf(fix, this.#behindMs()), at: Date.now() };
    this.#waiting.push(this.last);
    this.#isKnown = true;
    this.lineChanged();
    if (this.#timer === null) this.#say();
  };

  /** Says whether the office sees the position: it does over the socket alone. */
  lineChanged() {
    if (!this.#isKnown) return;
    if (this.#socket.state === "live") this.#tell(gettext("Your position is shared"), true);
    else this.#tell(gettext("Your position is not shared: there is no line."));
  }

  #failed = ({ code, PERMISSION_DENIED }) => {
    this.#isKnown = false;
    const isForbidden = code === PERMISSION_DENIED;
    this.#tell(isForbidden ? gettext("Your position is not shared: allow it in the settings of the browser.") : gettext("Your position is not known at the moment."));
  };

  /** All that waits in one message, so often at most. */
  #say() {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#waiting.length) this.#say();
    }, EVERY_MS);
    this.#waiting = this.#waiting.filter(({ at }) => Date.now() - at < OLDEST_MS);
    if (this.#socket.state !== "live" || !this.#waiting.length) return;
    const locations = this.#waiting.splice(0).map(({ position }) => position);
    this.#socket.send({ type: "location_update", locations });
  }
}
