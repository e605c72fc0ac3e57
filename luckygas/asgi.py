"""The ASGI application: Django serves HTTP, the hub serves WebSockets."""

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

# Models can be imported only after get_asgi_application().
from luckygas.middleware import observe  # noqa: E402
from realtime.routing import websocket  # noqa: E402
from web.api.bodies import BoundedBodies, remove_unknown_charset, too_large_response  # noqa: E402


def with_static_files(application: Any) -> ServeStaticASGI:
    """Adds static files, served from their source directories, without `collectstatic` or any middleware.

    Browsers revalidate each file (304), so that no page mixes old and new modules after a deployment.
    """
    served = ServeStaticASGI(application, max_age=0, add_headers_function=add_headers)
    directories = {storage.location: None for finder in get_finders() for _path, storage in finder.list([])}
    # Reversed, because files that are added later replace earlier ones of the same name, and the first finder must win.
    for directory in reversed(directories):
        served.add_files(directory, prefix=settings.STATIC_URL)
    return served


def add_headers(headers: Any, path: str, url: str) -> None:
    """Adds `X-Content-Type-Options`. Static files bypass SecurityMiddleware, which adds it to other responses."""
    headers["X-Content-Type-Options"] = "nosniff"


http = with_static_files(BoundedBodies(remove_unknown_charset(site), observe(too_large_response)))
application = ProtocolTypeRouter({"http": http, "websocket": websocket})
# The objects created so far live as long as the process. Without this call each full garbage collection would visit
# them and block every request and socket for 0.3 s (on the benchmark's machine).
gc.freeze()
