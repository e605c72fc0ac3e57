"""How the site is guarded, where nothing is read from the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import global_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

SETTINGS: dict[str, Any] = {
    # The first hashes; the others are Django's, for passwords from elsewhere.
    "PASSWORD_HASHERS": ["accounts.hashing.PasswordHasher", *global_settings.PASSWORD_HASHERS[1:]],
    # Rows of web.audit are found by what they are of, not by their time.
    "SIMPLE_HISTORY_DATE_INDEX": False,
    # django-axes counts wrong passwords in the database (accounts.attempts): a name is locked from one address.
    "AXES_LOCKOUT_PARAMETERS": [["username", "ip_address"]],
    "AXES_RESET_ON_SUCCESS": True,
    # Who goes on trying while locked does not stay locked for it: a telephone would, with an old password in it.
    "AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT": False,
    "AXES_CLIENT_IP_CALLABLE": "web.throttling.address_of",
    "AXES_USERNAME_CALLABLE": "accounts.attempts.name_of",
    "AXES_LOCKOUT_CALLABLE": "accounts.attempts.answered",
    # Who came and went stands in the log, and is not kept for ever beside it.
    "AXES_DISABLE_ACCESS_LOG": True,
    # Ours shows the attempts without what else is never written (accounts.admin.attempts).
    "AXES_ENABLE_ADMIN": False,
    "AXES_VERBOSE": False,
    "AUTHENTICATION_BACKENDS": ["axes.backends.AxesStandaloneBackend", "accounts.backends.RolesBackend"],
}
# Of every answer that says nothing else itself.
HEADERS = {
    # Neither browser nor proxy keeps it (RFC 9111, 5.2.2): pages and answers hold people's data. What the driver's page
    # needs without a line, its service worker keeps itself.
    "Cache-Control": "private, no-store",
    # What a page may use of the device, also by a script that should not be there: the driver's page where it is and
    # the camera (W3C Permissions Policy).
    "Permissions-Policy": "camera=(self), geolocation=(self), microphone=(), payment=(), usb=(), display-capture=()",
}


def site_url(named: str, https: bool, hosts: list[str], tracking_url: str) -> str:
    """Without the last slash. Unless it is named: by the first host, or by where the links in SMS lead to."""
    if named:
        return named.strip().rstrip("/")
    first = next((host.lstrip(".") for host in hosts if host != "*"), "")
    parts = urlsplit(tracking_url)
    return f"https://{first}" if https and first else f"{parts.scheme}://{parts.netloc}"


def default_headers(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: HEADERS."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return middleware
