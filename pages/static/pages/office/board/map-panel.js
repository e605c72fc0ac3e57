/** The board's map with moving drivers and numbered stops. The map is loaded after the board. */
import { isOpen } from "../../../web/statuses.js";

const RETRY_MS = 5_000;

/** Loads the map's code, with retries until it succeeds. The board works without the map. */
async function loadMapModule() {
  for (;;) {
    try {
      return await import("../../map.js");
    } catch {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

export class MapPanel {
  #map = null;
  /** What each pin looks like on the map, by key. */
  #drawn = new Map();
  #mustFit = true;
  #store;
  #fleet;
  #shows;
  #onOpen;

  constructor({ store, fleet, shows, onOpen }) {
    this.#store = store;
    this.#fleet = fleet;
    this.#shows = shows;
    this.#onOpen = onOpen;
  }

  /** Creates the map. The caller must draw all orders again afterwards. */
  async open(element) {
    const { LiveMap } = await loadMapModule();
    this.#map = new LiveMap(element);
    for (const id of this.#fleet.drivers.keys()) this.drawDriver(id);
  }

  /** Makes the map zoom to all pins once the orders are drawn. Call it when the filters change. */
  refit() {
    this.#mustFit = true;
  }

  /** Zooms to all pins: once after the map was opened, and once after each `refit`. */
  fitOnce() {
    if (!this.#map || !this.#mustFit) return;
    this.#mustFit = false;
    this.#map.fitAll();
  }

  draw = (id) => {
    const order = this.#store.get(id);
    const isShown = order && isOpen(order.status) && this.#shows(order);
    if (isShown) this.#place("stop", id, this.#stop(order));
    else this.#remove("stop", id);
  };

  #stop(order) {
    const { id, latitude, longitude, stop_sequence: stop, priority } = order;
    return {
      latitude,
      longitude,
      text: stop ?? "",
      keyboard: false,
      className: `${priority === "urgent" ? "urgent" : ""} ${stop ? "" : "waiting"}`,
      title: `${order.order_number} ${order.customer_name} ${order.delivery_address}`,
      onClick: () => this.#onOpen(id),
    };
  }

  drawDriver(id) {
    const driver = this.#fleet.drivers.get(id);
    if (!driver) return this.#remove("driver", id);
    const { name, online, latitude, longitude } = driver;
    this.#place("driver", id, {
      latitude,
      longitude,
      text: name.slice(0, 1),
      title: name,
      className: online ? "" : "away",
    });
  }

  /** Places a pin, unless it looks the same as before. */
  #place(kind, id, pin) {
    if (!this.#map) return;
    const key = `${kind}:${id}`;
    const look = [pin.latitude, pin.longitude, pin.text, pin.className, pin.title].join();
    if (this.#drawn.get(key) === look) return;
    this.#drawn.set(key, look);
    this.#map.place(kind, id, pin);
  }

  #remove(kind, id) {
    if (this.#drawn.delete(`${kind}:${id}`)) this.#map.remove(kind, id);
  }
}
