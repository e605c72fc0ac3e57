/** What the pages share: what the server told them, and small things done with templates. */
/** @import { PageData } from "types/page" */

/**
 * The JSON that `json_script` put under this id; nothing where there is none.
 * @returns {PageData}
 */
export function told(id = "page-data") {
  return JSON.parse(document.getElementById(id)?.textContent ?? "{}");
}

/**
 * The one element, of the kind that the caller declares; null where there is none.
 * @template [Kind=any]
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {Kind}
 */
export const find = (selector, root = document) => /** @type {Kind} */ (root.querySelector(selector));

/**
 * @template [Kind=any]
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {Kind[]}
 */
export const findAll = (selector, root = document) => /** @type {Kind[]} */ ([...root.querySelectorAll(selector)]);

/**
 * The element with this selector in which something happened.
 * @template [Kind=any]
 * @param {Event} event
 * @param {string} selector
 * @returns {Kind | null}
 */
export const closest = ({ target }, selector) =>
  /** @type {Kind | null} */ (/** @type {Element} */ (target).closest(selector));

/**
 * A copy of the one element in a `<template>`.
 * @template [Kind=any]
 * @param {string} id
 * @returns {Kind}
 */
export function copyOf(id) {
  const { content } = /** @type {HTMLTemplateElement} */ (document.getElementById(id));
  return /** @type {Kind} */ (content.firstElementChild?.cloneNode(true));
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
 * Writes each value as text into the element with that `data-field`; the rest of the page's work is not redone.
 * @template {ParentNode} Root
 * @param {Root} root
 * @param {object} values
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
 * Waits until nobody has called for `ms`, then calls once with what was said last.
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
