/**
 * What the server puts in front of the service worker (`pages/driver.py`): the `version` of all static files that it caches, their
 * URLs, and that of the `words`.
 */
declare const BUILD: { version: string; files: string[]; translations: string };
