/** The form for the proof of a delivery. It is pre-filled for the usual case, so that one press confirms it. */
/** @import { ProofBody, ProofImage } from "types/driver" */
/** @import { OrderItem, OrderRow } from "types/rows" */
import { closest, copyTemplate, fill, find, findAll, pageData } from "../../web/page.js";
import { shrink } from "./photo.js";
import { deleteDraft, readDraft, saveDraft } from "./proof-draft.js";
import { canScan, Scanner } from "./scan.js";
import { Signature } from "./signature.js";
import { isSecondTap, recordPageChange } from "./taps.js";

const { limits } = pageData();

/** @type {HTMLDialogElement} */
const dialog = find("#proof");
const form = find("form", dialog);
/** @type {HTMLInputElement} */
const amount = find("#proof-amount");
/** @type {HTMLInputElement} */
const typed = find("#proof-serial");
const chips = find("[data-serials]", dialog);
const camera = find("[data-camera]", dialog);
/** @type {HTMLImageElement} */
const preview = find("[data-preview]", dialog);
/** @type {HTMLButtonElement} */
const noPhoto = find("[data-no-photo]", dialog);
/** @type {HTMLInputElement} */
const photoInput = find("#proof-photo");
const signature = new Signature(find("[data-signature]", dialog));
const scanner = new Scanner(find("video", camera), (text) => addSerial(text, true) && navigator.vibrate?.(80));

/**
 * @typedef {object} DeliveryDraft
 * @property {OrderRow} row
 * @property {(proof: ProofBody, images: ProofImage[]) => Promise<string>} onSubmit resolves with an error text or ""
 * @property {Map<number, number>} counts the delivered quantity of each product
 * @property {string[]} serials
 * @property {Set<string>} scanned
 * @property {Promise<Blob> | null} photo
 * @property {boolean} isOwnAmount
 * @property {boolean} isSent
 */

/**
 * The delivery being confirmed; set before the form is shown.
 * @type {DeliveryDraft}
 */
let draft;

/**
 * Shows the form, and calls `onSubmit(proof, images)` when the driver submits it. The form closes only if `onSubmit` resolves
 * with "", and else shows the error text.
 * @param {OrderRow} row
 * @param {DeliveryDraft["onSubmit"]} onSubmit
 */
export function askProof(row, onSubmit) {
  const stored = readDraft(row);
  const storedCounts = new Map(stored.counts);
  const counts = new Map(
    row.items.map(({ product, quantity }) => [product, Math.min(quantity, storedCounts.get(product) ?? quantity)]),
  );
  draft = {
    row,
    onSubmit,
    counts,
    serials: stored.serials,
    scanned: new Set(stored.scanned),
    photo: null,
    isOwnAmount: "amount" in stored,
    isSent: false,
  };
  form.reset();
  amount.value = stored.amount ?? "";
  signature.clear();
  find("details", dialog).open = false;
  showPhoto(null);
  fill(dialog, { name: row.customer_name, wrong: "" });
  find("[data-quantities]", dialog).replaceChildren(...row.items.map(quantityRow));
  drawCounts();
  drawSerials();
  find("[data-scan]", dialog).hidden = !canScan();
  dialog.showModal();
  // The usual case needs only this button, and no on-screen keyboard covers the form.
  find("[type=submit]", dialog).focus();
}

// --- quantities ---------------------------------------------------------------------------------------------------

/** @param {OrderItem} item */
function quantityRow({ product, name, quantity }) {
  const element = copyTemplate("quantity-row");
  element.setAttribute("aria-label", name);
  fill(element, { product: name });
  element.dataset.product = String(product);
  element.addEventListener("click", (/** @type {MouseEvent} */ event) => {
    const step = Number(closest(event, "[data-step]")?.dataset.step ?? 0);
    draft.counts.set(product, Math.min(quantity, Math.max(0, countOf(product) + step)));
    drawCounts();
  });
  return element;
}

/** @param {number} product */
const countOf = (product) => draft.counts.get(product) ?? 0;

function drawCounts() {
  let refused = 0;
  for (const { product, quantity, unit_price: price } of draft.row.items) {
    const count = countOf(product);
    refused += (quantity - count) * price;
    const element = find(`[data-product="${product}"]`, dialog);
    fill(element, { count: `${count} / ${quantity}` });
    const [fewer, more] = findAll("button", element);
    fewer.disabled = count === 0;
    more.disabled = count === quantity;
  }
  if (!draft.isOwnAmount) amount.value = String(Math.max(0, draft.row.amount_due - refused));
  drawSerialCount();
  saveTyped();
}

amount.addEventListener("input", () => {
  draft.isOwnAmount = true;
  saveTyped();
});

function saveTyped() {
  const { row, counts, serials, scanned, isOwnAmount } = draft;
  const own = isOwnAmount ? { amount: amount.value } : {};
  saveDraft(row, { counts: [...counts], serials, scanned: [...scanned], ...own });
}

// --- serial numbers -----------------------------------------------------------------------------------------------

/**
 * Adds a serial number. Returns false if it is empty or already in the list, or if the list is full.
 * @param {string} text
 */
function addSerial(text, isScanned = false) {
  const serial = text.normalize("NFKC").trim().toUpperCase().slice(0, limits.serial_length);
  if (!serial || draft.serials.includes(serial) || draft.serials.length >= limits.serials) return false;
  draft.serials.push(serial);
  if (isScanned) draft.scanned.add(serial);
  drawSerials();
  return true;
}

function addTyped() {
  addSerial(typed.value);
  typed.value = "";
}

function drawSerials() {
  chips.replaceChildren(...draft.serials.map(chip));
  drawSerialCount();
  saveTyped();
}

/** @param {string} serial */
function chip(serial) {
  const element = fill(copyTemplate("serial-chip"), { serial });
  const button = find("button", element);
  button.setAttribute("aria-label", interpolate(gettext("Remove %s"), [serial]));
  button.addEventListener("click", () => {
    draft.serials = draft.serials.filter((other) => other !== serial);
    drawSerials();
  });
  return element;
}

function drawSerialCount() {
  fill(dialog, { "serial-count": `${draft.serials.length} / ${total(draft)}` });
}

/** @param {DeliveryDraft} draft */
const total = ({ counts }) => [...counts.values()].reduce((sum, count) => sum + count, 0);

find("[data-add]", dialog).addEventListener("click", addTyped);
typed.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault(); // Enter adds the number and does not submit the form
  addTyped();
});

find("[data-scan]", dialog).addEventListener("click", async () => {
  camera.hidden = false;
  try {
    await scanner.start();
  } catch {
    stopScanning();
    fill(dialog, { wrong: gettext("The camera cannot be used. Please type the serial number.") });
  }
});
find("[data-stop]", dialog).addEventListener("click", stopScanning);

function stopScanning() {
  scanner.stop();
  camera.hidden = true;
}

// --- signature and photo ------------------------------------------------------------------------------------------

find("[data-clear]", dialog).addEventListener("click", () => signature.clear());

/** @param {Blob | null} blob */
function showPhoto(blob) {
  URL.revokeObjectURL(preview.src);
  preview.hidden = noPhoto.hidden = !blob;
  if (blob) preview.src = URL.createObjectURL(blob);
}

photoInput.addEventListener("change", async () => {
  const file = photoInput.files?.[0];
  if (!file) return;
  const current = draft;
  const photo = shrink(file);
  current.photo = photo;
  const blob = await photo.catch(() => null);
  if (draft !== current || current.photo !== photo) return;
  if (!blob) removePhoto();
  showPhoto(blob);
  fill(dialog, { wrong: blob ? "" : gettext("This photo cannot be read. Please take another.") });
});
noPhoto.addEventListener("click", () => {
  removePhoto();
  showPhoto(null);
  photoInput.focus();
});

function removePhoto() {
  draft.photo = null;
  photoInput.value = "";
}

// --- submit -------------------------------------------------------------------------------------------------------

/**
 * The strongest kind of proof in the form: a scanned serial number (`qr_code`), a signature, a photo, else `manual`.
 * @param {DeliveryDraft} draft
 * @param {ProofImage[]} images
 * @returns {ProofBody["confirmation_type"]}
 */
function typeOf({ serials, scanned }, images) {
  if (serials.some((serial) => scanned.has(serial))) return "qr_code";
  return images[0]?.image ?? "manual";
}

/**
 * @param {DeliveryDraft} draft
 * @param {ProofImage[]} images
 * @returns {ProofBody}
 */
function proofOf(draft, images) {
  const { row, counts, serials } = draft;
  const fewer = row.items.filter(({ product, quantity }) => (counts.get(product) ?? 0) < quantity);
  const quantities = Object.fromEntries(fewer.map(({ product }) => [product, counts.get(product) ?? 0]));
  return {
    confirmation_type: typeOf(draft, images),
    cylinder_serials: serials,
    ...(fewer.length ? { quantities } : {}),
    amount_collected: amount.valueAsNumber,
  };
}

/** The error text of an invalid form, or "". */
function formError() {
  if (draft.row.items.length && !total(draft))
    return gettext("Nothing was delivered. Please report “Could not deliver” instead.");
  if (amount.checkValidity()) return "";
  amount.focus();
  return gettext("Please enter the amount collected: whole dollars, 0 to 10,000,000.");
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (draft.isSent || isSecondTap(event)) return;
  addTyped();
  const wrong = formError();
  fill(dialog, { wrong });
  if (!wrong) send(draft);
});

/** @param {DeliveryDraft} delivery */
async function send(delivery) {
  delivery.isSent = true;
  const wrong = await confirmWith(delivery).finally(() => (delivery.isSent = false));
  if (wrong === "") deleteDraft(delivery.row);
  if (delivery !== draft || !dialog.open) return;
  fill(dialog, { wrong });
  if (!wrong) dialog.close();
}

/**
 * Waits for the photo and submits. Resolves with an error text or "", or with null if the form was closed
 * before the photo was ready.
 * @param {DeliveryDraft} delivery
 */
async function confirmWith(delivery) {
  const signed = await signature.blob();
  const chosen = delivery.photo;
  const photo = await chosen?.catch(() => null);
  if (chosen && !photo) return gettext("This photo cannot be read. Please take another.");
  if (delivery !== draft || !dialog.open) return null;
  /** @type {ProofImage[]} */
  const images = [];
  if (signed) images.push({ image: "signature", blob: signed });
  if (photo) images.push({ image: "photo", blob: photo });
  return delivery.onSubmit(proofOf(delivery, images), images);
}

find("[data-cancel]", dialog).addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  stopScanning();
  recordPageChange();
});
