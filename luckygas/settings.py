"""Settings. The site reads its environment variables only here; docs/settings.md describes them all.

The defaults are for one machine: SQLite, one process, loopback only, no shared cache.
"""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from luckygas import libraries, logs
from luckygas.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()


def local_secret() -> str:
    """Returns a random key from a file, so that sessions and tokens survive a restart. Creates a missing file."""
    path = BASE_DIR / ".secret_key"
    if not path.exists():
        # A hard link appears only when the file is complete. If two processes create it, the first one's key stays.
        with NamedTemporaryFile("w", dir=BASE_DIR, prefix=path.name) as file, suppress(FileExistsError):
            file.write(secrets.token_urlsafe(50))
            file.flush()
            os.link(file.name, path)
    return path.read_text()


DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or local_secret()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# True behind a proxy that ends TLS. False for the demo on loopback, which has no redirects and no secure cookies.
HTTPS = env.bool("HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
LANGUAGE_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REDIRECT_EXEMPT = [r"^health/(live|ready)$"]

INSTALLED_APPS = [
    "daphne",
    "luckygas.apps.LuckyGasConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic.runserver_nostatic",
    "django.contrib.staticfiles",
    "luckygas.apps.SignInConfig",
    "channels",
    "csp",
    "js_lib_leaflet",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "luckygas.apps.SwitchesConfig",
    "web",
    "accounts",
    "customers",
    "catalogue",
    "dispatch",
    "orders",
    "importing",
    "realtime",  # before notifications, so that the event of a change is stored before its SMS
    "notifications",
    "pages",
    "health",
]
# Static files bypass the middleware (luckygas.asgi).
MIDDLEWARE = [
    "luckygas.middleware.observe",
    "luckygas.middleware.default_headers",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "luckygas.middleware.VisibleText",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "notifications.middleware.outcomes",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "luckygas.middleware.RefuseImpossible",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "luckygas.urls"
WSGI_APPLICATION = None
ASGI_APPLICATION = "luckygas.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.backends.role",
            ],
        },
    },
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DATABASE_POOL = env.int("DATABASE_POOL", default=20)
# In seconds: how long a request waits for a locked row, and how long a transaction may be idle. Imports and bulk
# changes have their own limits (web.database).
DATABASE_LOCK_SECONDS = env.int("DATABASE_LOCK_SECONDS", default=5)
DATABASE_IDLE_SECONDS = env.int("DATABASE_IDLE_SECONDS", default=10)
DATABASE = env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
if DATABASE["ENGINE"].endswith("sqlite3"):
    # Immediate transactions take the write lock at BEGIN, so that no upgrade of a read lock can fail.
    DATABASE["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    # A file instead of memory, because tests write from several threads and processes.
    DATABASE["TEST"] = {"NAME": env.str("TEST_SQLITE", default=str(BASE_DIR / "db.sqlite3.test"))}
else:
    # Under ASGI each concurrent request has a thread, so a pool holds the connections and checks each before use.
    # A vanished database host is detected after 15 s instead of TCP's two hours.
    tcp = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2}
    tcp |= {"tcp_user_timeout": 15_000}
    pool = {"min_size": 1, "max_size": DATABASE_POOL, "timeout": 5, "reconnect_timeout": 2}
    DATABASE["CONN_HEALTH_CHECKS"] = True
    # PostgreSQL ends statements that wait too long for a lock, and idle transactions. So a frozen process (a paused
    # container, SIGSTOP) cannot hold its locks for long. Options in the URL, else in PGOPTIONS, override these.
    limits = f"-c lock_timeout={DATABASE_LOCK_SECONDS}s"
    limits += f" -c idle_in_transaction_session_timeout={DATABASE_IDLE_SECONDS}s"
    given = DATABASE.setdefault("OPTIONS", {}).pop("options", env.str("PGOPTIONS", default=""))
    DATABASE["OPTIONS"] |= tcp | {"pool": pool, "options": f"{limits} {given}".strip()}
DATABASES = {"default": DATABASE}

REDIS_URL = env.str("REDIS_URL", default="")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            # By default redis-py 8 closes idle sockets after 5 s and allows 100 connections.
            "hosts": [
                {
                    "address": REDIS_URL,
                    "socket_timeout": None,
                    "socket_connect_timeout": 1,
                    # A dead connection is detected after 25 s instead of the kernel's two hours.
                    "socket_keepalive": True,
                    "socket_keepalive_options": {
                        socket.TCP_KEEPIDLE: 10,
                        socket.TCP_KEEPINTVL: 5,
                        socket.TCP_KEEPCNT: 3,
                    },
                    "max_connections": 10_000,
                }
            ]
        },
    }
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}

CACHES = libraries.caches(REDIS_URL)
# A switch without a row is on (web.flags).
WAFFLE_CACHE_NAME, WAFFLE_SWITCH_DEFAULT, WAFFLE_ENABLE_ADMIN_PAGES = "switches", True, False

LANGUAGE_CODE = "zh-hant"
LANGUAGES = [("zh-hant", _("Traditional Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "luckygas.formats"
TIME_ZONE = "Asia/Taipei"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"

# Uploads: signatures and photos of deliveries. All servers need the same directory.
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", default=str(BASE_DIR / "media")))

# The directory on this machine where `deploy/backup` writes. Metrics report the newest backup; empty: no such metric.
BACKUP_DIR = env.str("BACKUP_DIR", default="")

# Map tiles, `https://tile.example/{z}/{x}/{y}.png`, and their attribution; empty: maps without tiles.
MAP_TILES_URL = env.str("MAP_TILES_URL", default="")
MAP_ATTRIBUTION = env.str("MAP_ATTRIBUTION", default="© OpenStreetMap")
TILES_HOST = "{0.scheme}://{0.netloc}".format(urlsplit(MAP_TILES_URL)).replace("{s}", "*") if MAP_TILES_URL else ""
# Pages load only map tiles from another site, and run no inline scripts.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", "blob:", *filter(None, [TILES_HOST])],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

SESSION_ENGINE = "accounts.backends"
LOGIN_URL = "login"
CSRF_FAILURE_VIEW = "accounts.views.csrf_failure"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
vars().update(libraries.SETTINGS)
# After SIGN_IN_FAILURES wrong passwords the user name is locked for that address, for SIGN_IN_COOLOFF_MINUTES.
AXES_FAILURE_LIMIT = SIGN_IN_FAILURES = env.int("SIGN_IN_FAILURES", default=5)
SIGN_IN_COOLOFF_MINUTES = env.int("SIGN_IN_COOLOFF_MINUTES", default=15)
AXES_COOLOFF_TIME = timedelta(minutes=SIGN_IN_COOLOFF_MINUTES)
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 10  # seconds; Django's default waits for ever
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="lucky-gas@localhost")

# The number of our own proxies. Forwarding headers are trusted only from them.
PROXIES = env.int("PROXIES", default=0)
REST_FRAMEWORK = {
    **libraries.REST_FRAMEWORK,
    "NUM_PROXIES": PROXIES,
}
# Overrides of throttle rates, `office=6000/min,order=30/min`; empty (`order=`): no limit.
THROTTLE_RATES = libraries.throttle_rates(env.list("THROTTLE_RATES", default=[]))
DRF_STANDARDIZED_ERRORS = libraries.DRF_STANDARDIZED_ERRORS
SIMPLE_JWT = libraries.SIMPLE_JWT
SPECTACULAR_SETTINGS = libraries.spectacular_settings(LANGUAGES)
# The largest body of an API request (web.api.bodies), and the largest form of a page without its files, in bytes.
# Larger ones are refused before they are read into memory.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

# The shop's area code (`04`), added to numbers without one; empty: such numbers are refused.
SHOP_AREA_CODE = env.str("SHOP_AREA_CODE", default="")

# SMS. SMS_GATEWAY and SMS_FALLBACK_GATEWAY are names in SMS_GATEWAYS.
SMS_GATEWAYS = {
    "console": "notifications.gateways.local.Console",
    "memory": "notifications.gateways.local.Memory",
    "http": "notifications.gateways.http.Http",
    "mitake": "notifications.gateways.mitake.Mitake",
    "every8d": "notifications.gateways.every8d.Every8d",
}
SMS_GATEWAY = env.str("SMS_GATEWAY", default="console")
SMS_FALLBACK_GATEWAY = env.str("SMS_FALLBACK_GATEWAY", default="")
SMS_PROVIDER_URL = env.str("SMS_PROVIDER_URL", default="")
SMS_API_KEY = env.str("SMS_API_KEY", default="")
MITAKE_URL = env.str("MITAKE_URL", default="https://smsapi.mitake.com.tw/api/mtk/")
MITAKE_USERNAME = env.str("MITAKE_USERNAME", default="")
MITAKE_PASSWORD = env.str("MITAKE_PASSWORD", default="")
EVERY8D_URL = env.str("EVERY8D_URL", default="https://api.e8d.tw/API21/HTTP/")
EVERY8D_UID = env.str("EVERY8D_UID", default="")
EVERY8D_PASSWORD = env.str("EVERY8D_PASSWORD", default="")
# The registered sender's name. Since 2025-11-01 a commercial SMS must contain it, best at its start.
SMS_SENDER = env.str("SMS_SENDER", default="幸福氣")
# The start of links in SMS; the order's token follows. Its host must be registered with the carriers.
TRACKING_URL = env.str("TRACKING_URL", default="http://127.0.0.1:8000/t/")
# The public URL of the site, for links in e-mail. The Host header of a request is not trusted for them.
SITE_URL = libraries.site_url(env.str("SITE_URL", default=""), HTTPS, ALLOWED_HOSTS, TRACKING_URL)
# Registered hosts of links in SMS; empty: the host of TRACKING_URL.
SMS_LINK_HOSTS = env.list("SMS_LINK_HOSTS", default=[])
# Quiet hours in Taipei's time. Then SMS go out only if the driver is arriving, has turned away or has delivered. Empty:
# no quiet hours.
SMS_QUIET_HOURS = env.str("SMS_QUIET_HOURS", default="21:00-08:00")
SMS_TIMEOUT_SECONDS = env.float("SMS_TIMEOUT_SECONDS", default=10.0)
SMS_WAIT_SECONDS = env.float("SMS_WAIT_SECONDS", default=5.0)
# Sending threads per process; capped at the connections that the provider allows.
SMS_WORKERS = env.int("SMS_WORKERS", default=8)
# Receipts: the secret in the path of callbacks (empty: all are refused), this site's URL as providers reach it, and the
# allowed addresses or networks (empty: any).
SMS_CALLBACK_SECRET = env.str("SMS_CALLBACK_SECRET", default="")
SMS_CALLBACK_BASE_URL = env.str("SMS_CALLBACK_BASE_URL", default="")
SMS_CALLBACK_ADDRESSES = env.list("SMS_CALLBACK_ADDRESSES", default=[])

# The maximum number of open sockets per user. A further one closes the oldest (4409).
WEBSOCKET_CONNECTIONS_PER_USER = env.int("WEBSOCKET_CONNECTIONS_PER_USER", default=5)
# Limits of a WebSocket: messages from a client, its longest silence, and the backlog of a slow reader.
WEBSOCKET_MESSAGES_PER_SECOND = env.float("WEBSOCKET_MESSAGES_PER_SECOND", default=20.0)
WEBSOCKET_BURST = env.int("WEBSOCKET_BURST", default=40)
WEBSOCKET_MESSAGE_BYTES = env.int("WEBSOCKET_MESSAGE_BYTES", default=64 * 1024)
WEBSOCKET_SILENCE_SECONDS = env.float("WEBSOCKET_SILENCE_SECONDS", default=75.0)
WEBSOCKET_WAITING_EVENTS = env.int("WEBSOCKET_WAITING_EVENTS", default=256)
WEBSOCKET_WAITING_BYTES = env.int("WEBSOCKET_WAITING_BYTES", default=1024 * 1024)

# A token with which monitors read /health/ without an account; empty: only users with the right
# web.view_systemmetric may read it.
MONITORING_TOKEN = env.str("MONITORING_TOKEN", default="")

# Directory where the processes of one machine share counters for /health/metrics. prometheus_client reads the variable
# itself.
PROMETHEUS_MULTIPROC_DIR = env.str("PROMETHEUS_MULTIPROC_DIR", default="")

LOG_FORMAT = env.str("LOG_FORMAT", default="text")
LOGGING = logs.config(env.str("LOG_LEVEL", default="INFO"), LOG_FORMAT)
