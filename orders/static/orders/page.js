/** What the pages share: what the server told them, and small things done with templates. */

/** The JSON that `json_script` put under this id; null where there is none. */
export function told(id = "page-data") {
  const element = document.getElementById(id);
  return element ? JSON.parse(element.textContent) : null;
}

export const find = (selector, root = document) => root.querySelector(selector);
export const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

/** A copy of the one element in a `<template>`. */
export function copyOf(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Writes each value as text into the element with that `data-field`; the rest of the page's work is not redone. */
export function fill(root, values) {
  for (const [name, value] of Object.entries(values)) {
    for (const element of findAll(`[data-field="${name}"]`, root)) {
      const text = String(value ?? "");
      if (element.textContent !== text) element.textContent = text;
    }
  }
  return root;
}

/** “NT$1,600”, whole dollars. */
export function money(amount) {
  return `NT$${Number(amount).toLocaleString("en")}`;
}

/** Waits until nobody has called for `ms`, then calls once with what was said last. */
export function debounce(ms, call) {
  let timer = null;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(call, ms, ...values);
  };
}
