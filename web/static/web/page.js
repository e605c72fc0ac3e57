/** Small helpers for the DOM, and the data that the server writes into a page. */
/** @import { ElementFor, PageData } from "types/page" */

/**
 * The JSON that `json_script` wrote under this id; an empty object if there is none.
 * @returns {PageData}
 */
export function pageData(id = "page-data") {
  return JSON.parse(document.getElementById(id)?.textContent ?? "{}");
}

/**
 * The first element that matches; throws if there is none. A selector that is only a tag name determines the type; for others,
 * callers declare it if `HTMLElement` is not enough.
 * @template {string} Selector
 * @template {Element} [Kind=ElementFor<Selector>]
 * @param {Selector} selector
 * @param {ParentNode} [root]
 * @returns {Kind}
 */
export function find(selector, root = document) {
  const found = /** @type {Kind | null} */ (root.querySelector(selector));
  if (!found) throw new Error(`There is no ${selector}.`);
  return found;
}

/**
 * @template {string} Selector
 * @template {Element} [Kind=ElementFor<Selector>]
 * @param {Selector} selector
 * @param {ParentNode} [root]
 * @returns {Kind[]}
 */
export const findAll = (selector, root = document) => [
  .../** @type {NodeListOf<Kind>} */ (root.querySelectorAll(selector)),
];

/**
 * The closest ancestor of the event's target that matches, or the target itself; null if there is none.
 * @template {string} Selector
 * @template {Element} [Kind=ElementFor<Selector>]
 * @param {Event} event
 * @param {Selector} selector
 * @returns {Kind | null}
 */
export const closest = ({ target }, selector) => (target instanceof Element ? target.closest(selector) : null);

/**
 * A copy of the one element in a `<template>`.
 * @param {string} id
 */
export function copyTemplate(id) {
  const { content } = /** @type {HTMLTemplateElement} */ (document.getElementById(id));
  return /** @type {HTMLElement} */ (content.firstElementChild?.cloneNode(true));
}

/**
 * A new element with this text.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {string} text
 */
export function element(name, text, className = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

/**
 * Writes each value as text into the elements whose `data-field` is its name. Leaves equal text untouched.
 * @template {ParentNode} Root
 * @param {Root} root
 * @param {Record<string, unknown>} values
 */
export function fill(root, values) {
  for (const [name, value] of Object.entries(values)) {
    for (const field of findAll(`[data-field="${name}"]`, root)) {
      const text = String(value ?? "");
      if (field.textContent !== text) field.textContent = text;
    }
  }
  return root;
}

/**
 * Returns a function that calls `call` with its last arguments, once it has not been called for `ms`.
 * @template {unknown[]} Values
 * @param {number} ms
 * @param {(...values: Values) => void} call
 */
export function debounce(ms, call) {
  /** @type {number | undefined} */
  let timer;
  /** @param {Values} values */
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(call, ms, ...values);
  };
}

/**
 * Returns a function that collects distinct values for `ms` after the first, then calls `call` with all of them.
 * @template Value
 * @param {number} ms
 * @param {(values: Value[]) => void} call
 */
export function gather(ms, call) {
  /** @type {Set<Value>} */
  let waiting = new Set();
  return (/** @type {Value} */ value) => {
    if (waiting.add(value).size > 1) return;
    setTimeout(() => {
      const values = [...waiting];
      waiting = new Set();
      call(values);
    }, ms);
  };
}
