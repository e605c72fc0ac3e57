"""The same formats on English pages: both languages are read in one office."""

from __future__ import annotations

from luckygas.formats.zh_Hant.formats import *  # noqa: F403
