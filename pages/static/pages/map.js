/** A map with drivers and numbered stops. Without a tile server the background is plain. */
import * as L from "../js_lib_leaflet/leaflet-src.esm.js";
import { pageData } from "../web/page.js";

/** @type {L.LatLngTuple} */
const TAIWAN = [23.7, 120.9];
const MAX_ZOOM = 16;

/**
 * @param {string} className
 * @param {string} text
 */
function icon(className, text) {
  const shown = document.createElement("span");
  shown.textContent = text;
  return L.divIcon({ className: `pin ${className}`, html: shown, iconSize: [34, 34], iconAnchor: [17, 17] });
}

/**
 * @typedef {object} Pin
 * @property {number | null} latitude
 * @property {number | null} longitude
 * @property {string | number} [text]
 * @property {string} [title]
 * @property {string} [className]
 * @property {() => void} [onClick]
 * @property {boolean} [keyboard]
 */

/**
 * `place(kind, id, {…})` adds or updates a pin, or removes it if it has no coordinates. `remove(kind, id)` removes it. `fitAll()`
 * zooms to all pins.
 */
export class LiveMap {
  #map;
  /** @type {Map<string, L.Marker>} */
  #pins = new Map();

  /** @param {HTMLElement} element */
  constructor(element, { tiles, attribution } = pageData().map ?? {}) {
    this.#map = L.map(element, { center: TAIWAN, zoom: 8, attributionControl: Boolean(tiles) });
    this.#map.attributionControl?.setPrefix(false);
    if (tiles) L.tileLayer(tiles, { attribution, maxZoom: 19 }).addTo(this.#map);
    // Leaflet does not notice when its element is resized (a drawer, a rotated phone).
    new ResizeObserver(() => this.#map.invalidateSize()).observe(element);
  }

  /**
   * @param {string} kind
   * @param {number} id
   * @param {Pin} shown
   */
  place(kind, id, { latitude, longitude, text = "", title = "", className = "", onClick, keyboard = true }) {
    if (latitude == null || longitude == null) return this.remove(kind, id);
    const key = `${kind}:${id}`;
    const pin = this.#pins.get(key) ?? this.#add(key, [latitude, longitude], title, onClick, keyboard);
    pin.setLatLng([latitude, longitude]).setIcon(icon(`${kind} ${className}`, String(text)));
    pin.getElement()?.setAttribute("title", title);
  }

  /**
   * @param {string} key
   * @param {L.LatLngTuple} where
   * @param {string} title
   * @param {(() => void) | undefined} onClick
   * @param {boolean} keyboard
   */
  #add(key, where, title, onClick, keyboard) {
    const pin = L.marker(where, { title, alt: title, keyboard: keyboard && Boolean(onClick) }).addTo(this.#map);
    if (onClick) pin.on("click", onClick);
    this.#pins.set(key, pin);
    return pin;
  }

  /**
   * @param {string} kind
   * @param {number} id
   */
  remove(kind, id) {
    this.#pins.get(`${kind}:${id}`)?.remove();
    this.#pins.delete(`${kind}:${id}`);
  }

  fitAll() {
    const places = [...this.#pins.values()].map((pin) => pin.getLatLng());
    if (places.length) this.#map.fitBounds(L.latLngBounds(places).pad(0.2), { maxZoom: MAX_ZOOM });
  }
}
