"""Imports the modules of the site; runs in the fork server of `forked.py`."""

from __future__ import annotations

import sys
from types import ModuleType

# An empty module, because daphne.server creates Twisted's reactor, whose event loop forked sites would share.
sys.modules["daphne.server"] = ModuleType("daphne.server")
import luckygas.asgi  # noqa: E402, F401
import luckygas.urls  # noqa: E402, F401

# Each site imports these itself: daphne.server is still empty, and luckygas.asgi sets up our logging, which must happen
# after the server has set up its own.
del sys.modules["luckygas.asgi"], sys.modules["daphne.server"]
assert "twisted.internet.reactor" not in sys.modules
