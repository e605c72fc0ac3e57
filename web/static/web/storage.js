/** Small objects in local storage, as JSON. Storage may be forbidden or full: then nothing outlives the page. */

/**
 * The stored object; empty where there is none, or none that can be read. Another version of the site may have written it:
 * callers check what they use.
 * @param {string} name
 * @returns {Record<string, unknown>}
 */
export function readStorage(name) {
  try {
    return { ...JSON.parse(localStorage.getItem(name) ?? "{}") };
  } catch {
    return {};
  }
}

/**
 * @param {string} name
 * @param {object | null} value null deletes it
 */
export function writeStorage(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // see above
  }
}
