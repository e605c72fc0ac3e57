/** Global names that scripts use without an import. */

/** Django's JavaScript translation catalogue (`/words.js`). */
declare function gettext(text: string): string;
declare function ngettext(one: string, many: string, count: number): string;
declare function interpolate(text: string, values: readonly unknown[]): string;

declare module "*/leaflet-src.esm.js" {
  export * from "leaflet";
}

/** The Shape Detection API, which TypeScript does not declare. */
declare class BarcodeDetector {
  constructor(options: { formats: string[] });
  static getSupportedFormats(): Promise<string[]>;
  detect(image: CanvasImageSource): Promise<{ rawValue: string }[]>;
}

/** Chromium's event when the page can be put on the home screen; `prompt` asks the user. */
interface BeforeInstallPromptEvent extends Event {
  prompt(): void;
}

interface WindowEventMap {
  beforeinstallprompt: BeforeInstallPromptEvent;
}

interface Window {
  /** Exists on pages of Django's admin. */
  DateTimeShortcuts?: { now: () => Date };
}
