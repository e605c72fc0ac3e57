/**
 * Formats whole dollars as “NT$1,600”.
 * @param {number} amount
 */
export function money(amount) {
  return `NT$${Number(amount).toLocaleString("en")}`;
}
