/** Scans barcodes and QR codes with the camera, if the browser supports it (BarcodeDetector, Shape Detection API). */

const SCAN_MS = 200;
const FORMATS = ["qr_code", "code_128", "code_39", "ean_13", "data_matrix"];

export const canScan = () => "BarcodeDetector" in window && Boolean(navigator.mediaDevices?.getUserMedia);

/** Every SCAN_MS, calls `found(text)` for each code that the camera sees, until `stop()`. */
export class Scanner {
  #video;
  #found;
  /** @type {number | undefined} */
  #timer;
  /** @type {MediaStream | null} */
  #stream = null;

  /**
   * @param {HTMLVideoElement} video
   * @param {(text: string) => void} found
   */
  constructor(video, found) {
    this.#video = video;
    this.#found = found;
  }

  /** Starts the camera and the scans. Rejects if the camera cannot be used. */
  async start() {
    this.#stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    this.#video.srcObject = this.#stream;
    await this.#video.play();
    const supported = await BarcodeDetector.getSupportedFormats();
    const detector = new BarcodeDetector({ formats: FORMATS.filter((format) => supported.includes(format)) });
    this.#timer = setInterval(() => this.#look(detector), SCAN_MS);
  }

  stop() {
    clearInterval(this.#timer);
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = this.#video.srcObject = null;
  }

  /** @param {BarcodeDetector} detector */
  async #look(detector) {
    if (!this.#stream || this.#video.readyState < this.#video.HAVE_CURRENT_DATA) return;
    for (const { rawValue } of await detector.detect(this.#video)) if (this.#stream) this.#found(rawValue);
  }
}
