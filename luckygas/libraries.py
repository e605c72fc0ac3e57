"""Settings of libraries. Does not read the environment: `luckygas.settings` passes its values."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import global_settings
from django.core.exceptions import ImproperlyConfigured

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.tokens.Authentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api.access.ByRole"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.api.access.RoleThrottle"],
    "DEFAULT_PARSER_CLASSES": ["web.api.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "web.api.lists.Pages",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "web.api.schema.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
# Rates by role and by operation. They apply per user, and per address without sign-in (accounts.api.access) or where a
# comment says so. Empty means no limit.
THROTTLE_RATES = {
    "anonymous": "120/min",
    "customer": "120/min",
    # After a day without signal all reports of the day arrive at once.
    "driver": "600/min",
    # Enough for a user with two open boards, fifty moved cards and an API client at the same time.
    "office": "3000/min",
    # By address: sign-ins by API and page. A whole office behind one address signs in at the same time.
    "sign_in": "60/min",
    "password_reset": "10/min",
    # A customer's new orders.
    "order": "10/min",
    # Signatures and photos, which take time to decode. After a day without signal they arrive one after the other.
    "proof_image": "120/min",
    # Polling events: five pages without sockets poll up to three channels every three seconds.
    "events": "600/min",
    # Each call keeps a processor busy for a second or more.
    "schema": "20/min",
    "import": "20/min",
    # By address: the tracking page of an SMS, its socket, and callbacks with a wrong secret, gateway or address.
    "track": "120/min",
    "track_socket": "120/min",
    "callback": "60/min",
    # By address: invalid tickets, tokens, session cookies and links of mails. When the sessions of a whole office
    # expire together, each client tries once.
    "wrong_secret": "120/min",
}


RATE = re.compile(r"([1-9][0-9]{0,6})/(s|min|h)")
SECONDS = {"s": 1, "min": 60, "h": 3600}
Rate = tuple[int, int] | None


def throttle_rates(overrides: list[str]) -> dict[str, Rate]:
    """Parses THROTTLE_RATES with overrides such as `office=6000/min` or `order=`. Raises ImproperlyConfigured."""
    rates = dict(THROTTLE_RATES)
    for override in overrides:
        name, equals, value = (part.strip() for part in override.partition("="))
        if not equals or name not in rates:
            raise ImproperlyConfigured(
                f"THROTTLE_RATES: “{override}” must be name=rate. The names are: {', '.join(rates)}."
            )
        rates[name] = value
    return {name: throttle_rate(name, value) for name, value in rates.items()}


def throttle_rate(name: str, text: str) -> Rate:
    """Parses `120/min` to (120, 60): a count and a period in seconds. Returns None for an empty text (no limit).

    Raises ImproperlyConfigured, with `name`.
    """
    if not text:
        return None
    if (found := RATE.fullmatch(text)) is None:
        raise ImproperlyConfigured(
            f"THROTTLE_RATES, {name}: “{text}” is not a rate. Write a number and s, min or h, such as 120/min."
        )
    return int(found[1]), SECONDS[found[2]]


ERROR_STATUSES = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "429", "500", "503"]
DRF_STANDARDIZED_ERRORS: dict[str, Any] = {
    "ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True,
    "EXCEPTION_HANDLER_CLASS": "web.api.errors.ApiExceptionHandler",
    "EXCEPTION_FORMATTER_CLASS": "web.api.errors.Formatter",
    "ALLOWED_ERROR_STATUS_CODES": ERROR_STATUSES,
    "ERROR_SCHEMAS": dict.fromkeys(ERROR_STATUSES, "web.api.errors.ErrorResponse"),
}
SIMPLE_JWT: dict[str, Any] = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "UPDATE_LAST_LOGIN": False,
    "TOKEN_OBTAIN_SERIALIZER": "accounts.api.tokens.TokenSerializer",
}


def spectacular_settings(languages: list[tuple[str, Any]]) -> dict[str, Any]:
    return {
        "TITLE": "Lucky Gas",
        "VERSION": "1",
        "SERVE_INCLUDE_SCHEMA": False,
        "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
        "SWAGGER_UI_DIST": "SIDECAR",
        "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
        "SCHEMA_PATH_PREFIX": "/api/v1",
        "POSTPROCESSING_HOOKS": [
            "drf_spectacular.hooks.postprocess_schema_enums",
            "luckygas.api_reference.describe",
        ],
        "ENUM_NAME_OVERRIDES": {
            "OrderStatusEnum": "orders.states.OrderStatus",
            "RouteStatusEnum": "dispatch.models.RouteStatus",
            "MessageStatusEnum": "notifications.states.MessageStatus",
            "MessageTypeEnum": "notifications.states.MessageType",
            "MessageReasonEnum": "notifications.states.Reason",
            "KindEnum": "notifications.states.MessageKind",
            "ProofImageKindEnum": "orders.models.ProofImageKind",
            "LanguageEnum": languages,
            "ErrorTypeEnum": "web.api.errors.ERROR_TYPES",
        },
    }


def caches(redis_url: str) -> dict[str, Any]:
    """Returns Django's CACHES.

    `default` is in Redis, shared by all processes. Without Redis it is off, because each process would have its own
    cache, which the others could not invalidate. `switches` caches django-waffle's lookups for a second.
    """
    # Time limits in seconds for a hanging Redis. After a timeout the cache skips Redis for a while.
    limits = {"socket_timeout": 0.2, "socket_connect_timeout": 0.2, "max_connections": 10_000}
    shared = {
        "BACKEND": "web.caching.ForgivingRedis", "LOCATION": redis_url, "KEY_PREFIX": "luckygas",
        "OPTIONS": limits | {"serializer": "web.caching.Json"},
    }  # fmt: skip
    return {
        "default": shared if redis_url else {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
        "switches": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "switches", "TIMEOUT": 1,
        },
    }  # fmt: skip


SETTINGS: dict[str, Any] = {
    # The first one hashes new passwords. The others are Django's, for imported hashes.
    "PASSWORD_HASHERS": ["accounts.backends.PasswordHasher", *global_settings.PASSWORD_HASHERS[1:]],
    # Audit rows (web.audit) are looked up by object, not by time.
    "SIMPLE_HISTORY_DATE_INDEX": False,
    # django-axes counts wrong passwords in the database (accounts.attempts), and locks a user name for one address.
    "AXES_LOCKOUT_PARAMETERS": [["username", "ip_address"]],
    "AXES_RESET_ON_SUCCESS": True,
    # Attempts during a lock do not extend it. Otherwise a program that repeats an old password would stay locked out.
    "AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT": False,
    "AXES_CLIENT_IP_CALLABLE": "web.throttling.address_of",
    "AXES_USERNAME_CALLABLE": "accounts.attempts.name_of",
    "AXES_LOCKOUT_CALLABLE": "accounts.attempts.lockout_response",
    # The log records sign-ins; a second, permanent record is not needed.
    "AXES_DISABLE_ACCESS_LOG": True,
    # Our own admin page (accounts.admin) replaces django-axes's, which has columns that stay empty here.
    "AXES_ENABLE_ADMIN": False,
    "AXES_VERBOSE": False,
    "AUTHENTICATION_BACKENDS": ["axes.backends.AxesStandaloneBackend", "accounts.backends.RolesBackend"],
}


def site_url(given: str, https: bool, hosts: list[str], tracking_url: str) -> str:
    """Returns the site's URL without a final slash.

    This is `given`; if it is empty and `https` is true, the first of `hosts` other than `*`; else the host of
    `tracking_url`.
    """
    if given:
        return given.strip().rstrip("/")
    first = next((host.lstrip(".") for host in hosts if host != "*"), "")
    parts = urlsplit(tracking_url)
    return f"https://{first}" if https and first else f"{parts.scheme}://{parts.netloc}"
