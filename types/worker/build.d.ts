/**
 * The constant that the server (`pages/driver.py`) writes in front of the service worker's code: the `version` of the static files
 * that the worker caches, their URLs (`files`), and the URL of the translations (`words`).
 */
declare const BUILD: { version: string; files: string[]; words: string };
