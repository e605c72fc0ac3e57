"""Imports all that a site needs, for those that are forked from the process that did (`forked.py`)."""

from __future__ import annotations

import sys
from types import ModuleType

# Brings Twisted's reactor, with an event loop that forks would share: the one that runs on daphne imports it itself.
sys.modules["daphne.server"] = ModuleType("daphne.server")
import luckygas.asgi  # noqa: E402, F401
import luckygas.urls  # noqa: E402, F401

# Made anew by each: a server sets up its own logging before it imports the application, which then sets up the site's.
del sys.modules["luckygas.asgi"], sys.modules["daphne.server"]
assert "twisted.internet.reactor" not in sys.modules
