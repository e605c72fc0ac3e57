"""How the libraries of the API are set. Nothing here is read from the environment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from web.rates import most_and_seconds

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.tokens.Authentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api.permissions.ByRole"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.api.throttles.RoleThrottle"],
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
# By role, a user; and by what is asked, a user or a stranger's address (accounts.api.throttles). Empty: no limit.
THROTTLE_RATES = {
    "anonymous": "120/min",
    "customer": "120/min",
    # The reports of a day without a line, all at once.
    "driver": "600/min",
    # Two boards, fifty cards moved, and a program beside them.
    "office": "3000/min",
    # By address: name and password, also of the page; an office behind one address comes to work at once.
    "sign_in": "60/min",
    "password_reset": "10/min",
    # A customer's new orders.
    "order": "10/min",
    # Signatures and photos: each is decoded. Those of a day without a line come one after the other.
    "proof_image": "120/min",
    # Reading the log: five pages without sockets ask each three seconds, for up to three channels.
    "events": "600/min",
    # Each takes a second or more of a whole processor.
    "schema": "20/min",
    "import": "20/min",
    # By address: the page behind the link in an SMS, its socket, and wrong secrets of receipts.
    "track": "120/min",
    "track_socket": "120/min",
    "callback": "60/min",
    # By address: tickets, tokens, session cookies of sockets and links of mails that open nothing. An office whose
    # sessions all end at once tries each once.
    "wrong_secret": "120/min",
}


def throttle_rates(said: list[str]) -> dict[str, str]:
    """Those above, changed by `office=6000/min`, `order=`. Raises ImproperlyConfigured: no server starts so."""
    rates = dict(THROTTLE_RATES)
    for one in said:
        name, equals, rate = (part.strip() for part in one.partition("="))
        if not equals or name not in rates:
            raise ImproperlyConfigured(f"THROTTLE_RATES: “{one}” must be name=rate, of {', '.join(rates)}.")
        try:
            if rate:
                most_and_seconds(rate)
        except ValueError as error:
            raise ImproperlyConfigured(f"THROTTLE_RATES, {name}: {error}") from error
        rates[name] = rate
    return rates


ERROR_STATUSES = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "429", "500", "503"]
DRF_STANDARDIZED_ERRORS: dict[str, Any] = {
    "ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True,
    "EXCEPTION_HANDLER_CLASS": "web.api.errors.Handler",
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


def spectacular(languages: list[tuple[str, Any]]) -> dict[str, Any]:
    return {
        "TITLE": "Lucky Gas",
        "VERSION": "1",
        "SERVE_INCLUDE_SCHEMA": False,
        "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
        "SWAGGER_UI_DIST": "SIDECAR",
        "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
        "SCHEMA_PATH_PREFIX": "/api/v1",
        "ENUM_NAME_OVERRIDES": {
            "OrderStatusEnum": "orders.states.Status",
            "RouteStatusEnum": "dispatch.models.RouteStatus",
            "MessageStatusEnum": "notifications.states.Status",
            "MessageTypeEnum": "notifications.states.Type",
            "MessageReasonEnum": "notifications.states.Reason",
            "KindEnum": "notifications.states.Kind",
            "ProofImageKindEnum": "orders.models.ProofImageKind",
            "LanguageEnum": languages,
            "ErrorTypeEnum": "web.api.errors.ERROR_TYPES",
        },
    }
