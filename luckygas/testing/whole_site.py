"""Imports all modules of the site, in the fork server of `forked.py`."""

from __future__ import annotations

import sys
from types import ModuleType

# daphne.server creates Twisted's reactor, whose event loop forks would share. Sites on daphne import it themselves.
sys.modules["daphne.server"] = ModuleType("daphne.server")
import luckygas.asgi  # noqa: E402, F401
import luckygas.urls  # noqa: E402, F401

# Each site imports these modules again, because a server sets up its logging before the application sets up its own.
del sys.modules["luckygas.asgi"], sys.modules["daphne.server"]
assert "twisted.internet.reactor" not in sys.modules
