"""The ASGI application: HTTP is Django's, WebSockets are the hub's."""

from __future__ import annotations

import gc
import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "luckygas.settings")
http = get_asgi_application()

# Models can be imported only after the set-up above.
from luckygas.middleware import observe  # noqa: E402
from orders.api.bodies import BoundedBodies, refused  # noqa: E402
from realtime.routing import websocket  # noqa: E402

application = ProtocolTypeRouter({"http": BoundedBodies(http, observe(refused)), "websocket": websocket})
# What was made up to here lives as long as the process: a full collection that looks at it again stops every socket.
gc.freeze()
