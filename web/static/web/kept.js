/** Small things in local storage, as JSON. It may be forbidden or full: then a page begins anew, and nothing else is lost. */

/**
 * Null where nothing is kept, or nothing that can be read.
 * @param {string} name
 * @returns {any}
 */
export function kept(name) {
  try {
    return JSON.parse(localStorage.getItem(name) ?? "null");
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {unknown} value null keeps nothing
 */
export function keep(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // see above
  }
}
