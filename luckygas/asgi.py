"""The ASGI application: HTTP is Django's, WebSockets are the hub's."""

from __future__ import annotations

import gc
import os
from typing import Any

from channels.routing import ProtocolTypeRouter
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.asgi import get_asgi_application
from servestatic import ServeStaticASGI

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "luckygas.settings")
site = get_asgi_application()

# Models can be imported only after the set-up above.
from luckygas.middleware import observe  # noqa: E402
from realtime.routing import websocket  # noqa: E402
from web.api.bodies import BoundedBodies, refused, with_charset  # noqa: E402


def with_static_files(application: Any) -> ServeStaticASGI:
    """Static files, served where they lie, without `collectstatic`, and before anything that stands around a page.

    Browsers ask each time whether theirs is still the present one (304): after a deployment no page mixes old
    modules with new ones.
    """
    served = ServeStaticASGI(application, max_age=0, add_headers_function=add_headers)
    directories = {storage.location: None for finder in get_finders() for _path, storage in finder.list([])}
    for directory in reversed(directories):  # of two files of one name the one found first is served
        served.add_files(directory, prefix=settings.STATIC_URL)
    return served


def add_headers(headers: Any, path: str, url: str) -> None:
    """No middleware sees these answers."""
    headers["X-Content-Type-Options"] = "nosniff"


http = with_static_files(BoundedBodies(with_charset(site), observe(refused)))
application = ProtocolTypeRouter({"http": http, "websocket": websocket})
# What was made up to here lives as long as the process. A full collection that looks at it again stops every socket,
# for 0.3 s on the bench's machine.
gc.freeze()
