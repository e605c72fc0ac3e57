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

/** What stands before the first hyphen. */
const AREA_CODE = /^(?:09\d\d|080[09](?=\d{6}$)|020(?=\d{7,8}$)|070(?=\d{8}$)|0826|0836|037|049|082|089|0\d)/;

/** “0912-345-678” of “+886912345678”, “02-2930-0016 分機29”: as `phones.display`. */
export function phoneText(stored) {
  if (!stored.startsWith("+886")) return stored;
  const [number, extension] = stored.replace("+886", "0").split(";ext=");
  const code = AREA_CODE.exec(number)[0];
  const rest = number.slice(code.length);
  const last = code.length === 4 && rest.length === 6 ? 3 : 4;
  const groups = rest.length > 6 || last === 3 ? [code, rest.slice(0, -last), rest.slice(-last)] : [code, rest];
  return groups.join("-") + (extension ? ` 分機${extension}` : "");
}

/** Waits until nobody has called for `ms`, then calls once with what was said last. */
export function debounce(ms, call) {
  let timer = null;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(call, ms, ...values);
  };
}
