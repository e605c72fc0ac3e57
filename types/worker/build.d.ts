/**
 * What the server puts in front of the service worker (`pages/driver.py`): the `version` of all static files that the worker
 * caches, the URLs of these files, and the URL of the `translations`.
 */
declare const BUILD: { version: string; files: string[]; translations: string };
