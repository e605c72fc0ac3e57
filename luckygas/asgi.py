"""The ASGI application: HTTP is Django's, WebSockets are the hub's."""

from __future__ import annotations

import gc
import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "luckygas.settings")
site = get_asgi_application()

# Models can be imported only after the set-up above.
from luckygas.middleware import observe  # noqa: E402
from luckygas.static import with_static_files  # noqa: E402
from realtime.routing import websocket  # noqa: E402
from web.api.bodies import (  # noqa: E402
    BoundedBodies,
    refused,
    with_charset,  # noqa: E402
)

http = with_static_files(BoundedBodies(with_charset(site), observe(refused)))
application = ProtocolTypeRouter({"http": http, "websocket": websocket})
# What was made up to here lives as long as the process. A full collection that looks at it again stops every socket,
# for 0.3 s on the bench's machine.
gc.freeze()
