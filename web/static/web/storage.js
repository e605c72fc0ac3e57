/** Small values in local storage, as JSON. Storage may be forbidden or full: then a value lives as long as the page. */

/**
 * The stored value; null where there is none, or none that can be read. Another version of the site may have written it:
 * callers check what they use.
 * @param {string} name
 * @returns {unknown}
 */
export function readStorage(name) {
  try {
    return JSON.parse(localStorage.getItem(name) ?? "null");
  } catch {
    return null;
  }
}

/**
 * The stored object; empty where none is stored.
 * @param {string} name
 * @returns {Record<string, unknown>}
 */
export const readObject = (name) => ({ .../** @type {object | null} */ (readStorage(name)) });

/**
 * @param {string} name
 * @param {unknown} value null deletes it
 */
export function writeStorage(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // see above
  }
}
