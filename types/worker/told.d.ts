/** What the server puts in front of the service worker (`pages/driver.py`). */
declare const TOLD: { version: string; files: string[]; words: string };
