"""The ASGI application: HTTP is Django's, WebSockets are the hub's."""

from __future__ import annotations

import gc
import os
import sys

import django
from channels.routing import ProtocolTypeRouter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "luckygas.settings")
django.setup(set_prefix=False)

# Models can be imported only after the set-up above.
from luckygas.handler import Handler  # noqa: E402
from luckygas.middleware import observe  # noqa: E402
from realtime.routing import websocket  # noqa: E402
from web.api.body_limits import BoundedBodies, refused  # noqa: E402

application = ProtocolTypeRouter({"http": BoundedBodies(Handler(), observe(refused)), "websocket": websocket})
# What was made up to here lives as long as the process: a full collection that looks at it again stops every socket.
gc.freeze()
# Ten times shorter than Python's own: a request that waits for the database ten times is not held up 5 ms each time by
# a thread that computes (a bulk update, the senders).
sys.setswitchinterval(0.0005)
