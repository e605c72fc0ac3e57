"""Settings: the one place that reads the environment. Every name read here is described in docs/settings.md.

With an empty environment this is the embedded default: SQLite, one process, loopback only, no shared cache.
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
    """A random key kept beside the database, so that sessions and tokens survive a restart of the demo."""
    path = BASE_DIR / ".secret_key"
    if not path.exists():
        # Linked whole to its name: nobody reads it half-written, and of two processes at once the first one's stays.
        with NamedTemporaryFile("w", dir=BASE_DIR, prefix=path.name) as file, suppress(FileExistsError):
            file.write(secrets.token_urlsafe(50))
            file.flush()
            os.link(file.name, path)
    return path.read_text()


DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or local_secret()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Behind a proxy that ends TLS; nothing is redirected or marked secure on the loopback demo.
HTTPS = env.bool("HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
LANGUAGE_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REDIRECT_EXEMPT = [r"^health/(live|ready)$"]

# The order matters: a change tells the screens (realtime) before it tells the customer (notifications).
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
    "realtime",  # before notifications: an event stands in the outbox before the SMS it causes
    "notifications",
    "pages",
    "health",
]
# Static files are answered before it (luckygas.asgi).
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
# Seconds: how long a request waits for a row that somebody else holds, and how long a transaction may do nothing.
# Imports and changes of many orders have limits of their own (web.database).
DATABASE_LOCK_SECONDS = env.int("DATABASE_LOCK_SECONDS", default=5)
DATABASE_IDLE_SECONDS = env.int("DATABASE_IDLE_SECONDS", default=10)
DATABASE = env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
if DATABASE["ENGINE"].endswith("sqlite3"):
    # Immediate transactions take the write lock at BEGIN: no upgrade of a read lock can fail half-way.
    DATABASE["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    # A file, not memory: the tests write from several threads and processes.
    DATABASE["TEST"] = {"NAME": env.str("TEST_SQLITE", default=str(BASE_DIR / "db.sqlite3.test"))}
else:
    # Under ASGI there are as many threads as requests come at once, so a pool keeps the connections and not the
    # threads; one that the server dropped is noticed before use.
    # A host that vanishes without a word is given up after 15 s and not after the two hours of TCP.
    LINK = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2}
    LINK |= {"tcp_user_timeout": 15_000}
    pool = {"min_size": 1, "max_size": DATABASE_POOL, "timeout": 5, "reconnect_timeout": 2}
    DATABASE["CONN_HEALTH_CHECKS"] = True
    # Whoever is frozen in the middle of a change (a paused container, SIGSTOP) holds its rows for no longer than this.
    # PostgreSQL itself ends a statement that waits too long for a lock, and a session of ours that holds a transaction
    # open and does nothing. What the URL or PGOPTIONS say comes later and counts.
    limits = f"-c lock_timeout={DATABASE_LOCK_SECONDS}s"
    limits += f" -c idle_in_transaction_session_timeout={DATABASE_IDLE_SECONDS}s"
    said = DATABASE.setdefault("OPTIONS", {}).pop("options", env.str("PGOPTIONS", default=""))
    DATABASE["OPTIONS"] |= LINK | {"pool": pool, "options": f"{limits} {said}".strip()}
DATABASES = {"default": DATABASE}

REDIS_URL = env.str("REDIS_URL", default="")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            # redis-py 8 cuts idle sockets after 5 s and refuses the 101st connection unless told otherwise.
            "hosts": [
                {
                    "address": REDIS_URL,
                    "socket_timeout": None,
                    "socket_connect_timeout": 1,
                    # A link whose other end is gone without a word is dropped after 25 s, not the kernel's two hours.
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
# A switch that has no row is on (web.flags).
WAFFLE_CACHE_NAME, WAFFLE_SWITCH_DEFAULT, WAFFLE_ENABLE_ADMIN_PAGES = "switches", True, False

LANGUAGE_CODE = "zh-hant"
LANGUAGES = [("zh-hant", _("Traditional Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "luckygas.formats"
TIME_ZONE = "Asia/Taipei"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"

# What people send: signatures and photos of deliveries. The same directory on every server.
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", default=str(BASE_DIR / "media")))

# Where `deploy/backup` writes on this machine, so that a night without one is seen; empty: it is not looked at.
BACKUP_DIR = env.str("BACKUP_DIR", default="")

# The tiles of the maps, `https://tile.example/{z}/{x}/{y}.png`, and whom to thank for them; empty: maps without ground.
MAP_TILES_URL = env.str("MAP_TILES_URL", default="")
MAP_ATTRIBUTION = env.str("MAP_ATTRIBUTION", default="© OpenStreetMap")
TILES_HOST = "{0.scheme}://{0.netloc}".format(urlsplit(MAP_TILES_URL)).replace("{s}", "*") if MAP_TILES_URL else ""
# Nothing of a page comes from elsewhere, and nothing written into one is run.
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
# So many wrong passwords for one name from one address, and for so long the name is locked from there.
AXES_FAILURE_LIMIT = SIGN_IN_FAILURES = env.int("SIGN_IN_FAILURES", default=5)
SIGN_IN_COOLOFF_MINUTES = env.int("SIGN_IN_COOLOFF_MINUTES", default=15)
AXES_COOLOFF_TIME = timedelta(minutes=SIGN_IN_COOLOFF_MINUTES)
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 10  # seconds; Django's default waits for ever
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="lucky-gas@localhost")

# How many proxies stand in front and name the client's address; a header that none of them wrote is not believed.
PROXIES = env.int("PROXIES", default=0)
REST_FRAMEWORK = {
    **libraries.REST_FRAMEWORK,
    "NUM_PROXIES": PROXIES,
}
# How often somebody may ask, `office=6000/min,order=30/min`; empty (`order=`): without limit.
THROTTLE_RATES = libraries.throttle_rates(env.list("THROTTLE_RATES", default=[]))
DRF_STANDARDIZED_ERRORS = libraries.DRF_STANDARDIZED_ERRORS
SIMPLE_JWT = libraries.SIMPLE_JWT
SPECTACULAR_SETTINGS = libraries.spectacular(LANGUAGES)
# 10 MB of nonsense is refused before it is read into memory; of the API too (web.api.bodies).
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

# The area code of the shop, which its customers leave out (`04`); empty: a number without one is refused.
SHOP_AREA_CODE = env.str("SHOP_AREA_CODE", default="")

# SMS. SMS_GATEWAY is a name of SMS_GATEWAYS, and so is its stand-in.
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
# The registered sender: since 2025-11-01 a commercial SMS must carry it, best as its first word.
SMS_SENDER = env.str("SMS_SENDER", default="幸福氣")
# What the link in an SMS begins with, before the order's token; its host is registered with the carriers.
TRACKING_URL = env.str("TRACKING_URL", default="http://127.0.0.1:8000/t/")
# The site as people reach it, for links in e-mail: what a request says of itself, its Host, decides of none.
SITE_URL = libraries.site_url(env.str("SITE_URL", default=""), HTTPS, ALLOWED_HOSTS, TRACKING_URL)
# Registered hosts that links in an SMS may name; empty: the one of TRACKING_URL.
SMS_LINK_HOSTS = env.list("SMS_LINK_HOSTS", default=[])
# When no SMS goes out, by Taipei's clock, except to who waits for the driver at that hour; empty: never.
SMS_QUIET_HOURS = env.str("SMS_QUIET_HOURS", default="21:00-08:00")
SMS_TIMEOUT_SECONDS = env.float("SMS_TIMEOUT_SECONDS", default=10.0)
SMS_WAIT_SECONDS = env.float("SMS_WAIT_SECONDS", default=5.0)
# Threads a process, so messages at once; never more than the provider allows connections.
SMS_WORKERS = env.int("SMS_WORKERS", default=8)
# Receipts: the secret in the path of callbacks (empty: none is taken), this site's own address as providers reach it,
# and the only addresses or networks they may come from (empty: any).
SMS_CALLBACK_SECRET = env.str("SMS_CALLBACK_SECRET", default="")
SMS_CALLBACK_BASE_URL = env.str("SMS_CALLBACK_BASE_URL", default="")
SMS_CALLBACK_ADDRESSES = env.list("SMS_CALLBACK_ADDRESSES", default=[])

# Open sockets of one user; with one more the oldest is closed (4409).
WEBSOCKET_CONNECTIONS_PER_USER = env.int("WEBSOCKET_CONNECTIONS_PER_USER", default=5)
# Limits of a WebSocket: what a client may say, how long it may say nothing, what may wait for one that does not read.
WEBSOCKET_MESSAGES_PER_SECOND = env.float("WEBSOCKET_MESSAGES_PER_SECOND", default=20.0)
WEBSOCKET_BURST = env.int("WEBSOCKET_BURST", default=40)
WEBSOCKET_MESSAGE_BYTES = env.int("WEBSOCKET_MESSAGE_BYTES", default=64 * 1024)
WEBSOCKET_SILENCE_SECONDS = env.float("WEBSOCKET_SILENCE_SECONDS", default=75.0)
WEBSOCKET_WAITING_EVENTS = env.int("WEBSOCKET_WAITING_EVENTS", default=256)
WEBSOCKET_WAITING_BYTES = env.int("WEBSOCKET_WAITING_BYTES", default=1024 * 1024)

# A secret that lets a monitor read /health/ without an account; empty: staff only.
MONITORING_TOKEN = env.str("MONITORING_TOKEN", default="")

# Where several processes of one machine count together for /health/metrics; prometheus_client reads this name itself.
PROMETHEUS_MULTIPROC_DIR = env.str("PROMETHEUS_MULTIPROC_DIR", default="")

LOG_FORMAT = env.str("LOG_FORMAT", default="text")
LOGGING = logs.config(env.str("LOG_LEVEL", default="INFO"), LOG_FORMAT)
