/** Stores small objects in local storage, as JSON. If storage is forbidden or full, nothing is stored. */

/**
 * The stored object; empty if there is none or it cannot be read. Another version of the site may have written it, so callers
 * must check its values.
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
    // Storage is forbidden or full: nothing is stored.
  }
}
