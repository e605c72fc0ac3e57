/**
 * “NT$1,600”, whole dollars.
 * @param {number} amount
 */
export function money(amount) {
  return `NT$${Number(amount).toLocaleString("en")}`;
}
