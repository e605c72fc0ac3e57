"""English pages use the formats of the Chinese pages, because one office reads both languages."""

from __future__ import annotations

from luckygas.formats.zh_Hant.formats import *  # noqa: F403
