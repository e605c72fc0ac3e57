/** Shrinks a photo for a slow connection. */

const MAX_PIXELS = 1280;
const QUALITY = 0.8;

/**
 * A JPEG whose longer side is at most 1,280 pixels. Rejects if the file is no image, or memory is too small.
 * @param {Blob} file
 * @returns {Promise<Blob>}
 */
export async function shrink(file) {
  const image = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, MAX_PIXELS / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(image.width * scale);
  canvas.height = Math.round(image.height * scale);
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  return new Promise((resolve, reject) => {
    /** @param {Blob | null} blob */
    const finish = (blob) =>
      blob ? resolve(blob) : reject(new DOMException("No room for the photo.", "EncodingError"));
    canvas.toBlob(finish, "image/jpeg", QUALITY);
  });
}
