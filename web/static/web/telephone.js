/** Parses and formats phone numbers by the rules of `customers/phones.py`. */

/** The area code or mobile prefix: what `phoneText` writes before the first hyphen. */
const AREA_CODE = /^(?:09\d\d|080[09](?=\d{6}$)|020(?=\d{7,8}$)|070(?=\d{8}$)|0826|0836|037|049|082|089|0\d)/;
/** The text allowed around the digits of a phone number: labels, separators, the word for an extension. */
const AROUND_DIGITS = /tel|phone|mobile|ext|電話|手機|市話|行動|分機|內線|轉|[\s()[\]+#.,:;=/~x·•・‧\p{Pd}]/giu;
const MIN_DIGITS = 8;
/** How mobile numbers begin; only they get SMS. */
const MOBILE = "09";

/**
 * “0912-345-678” for “+886912345678”; with an extension “02-2930-0016 分機29”. Foreign numbers stay as stored. Same as
 * `phones.display`.
 * @param {string} stored
 */
export function phoneText(stored) {
  if (!stored.startsWith("+886")) return stored;
  const [number, extension] = stored.replace("+886", "0").split(";ext=");
  const code = AREA_CODE.exec(number)?.[0] ?? "";
  const rest = number.slice(code.length);
  const last = code.length === 4 && rest.length === 6 ? 3 : 4;
  const groups = rest.length > 6 || last === 3 ? [code, rest.slice(0, -last), rest.slice(-last)] : [code, rest];
  return groups.join("-") + (extension ? ` 分機${extension}` : "");
}

/**
 * Whether the text has digits, and besides them only labels and separators of phone numbers.
 * @param {string} text
 */
export const isPhoneNumber = (text) => /^\d+$/.test(text.normalize("NFKC").replace(AROUND_DIGITS, ""));

/**
 * The typed digits as dialled in Taiwan; "" if there are too few for a number.
 * @param {string} text
 */
export function dialledDigits(text) {
  const digits = text
    .normalize("NFKC")
    .replace(/\D/g, "")
    .replace(/^(?:00)?8860?/, "0");
  return digits.length < MIN_DIGITS ? "" : digits;
}

/**
 * Whether a number as dialled is a mobile number.
 * @param {string | undefined} digits
 */
export const isMobile = (digits) => digits?.startsWith(MOBILE) ?? false;
