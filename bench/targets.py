"""The measured servers: the product and its peers, with how to start each and how to publish an event to it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import senders
from bench.load import compile_program
from bench.processes import Pinned
from bench.senders import Sender

PEERS = Path(__file__).resolve().parent / "peers"
NGINX_MODULES = Path("/usr/lib/nginx/modules")
PUBSUB, CORE = "channels_redis.pubsub.RedisPubSubChannelLayer", "channels_redis.core.RedisChannelLayer"
# Values of `--ws` for the product. Production uses FRAMES: the hub writes encoded frames straight to the transports.
FRAMES, ASGI = "realtime.uvicorn_protocols:FrameProtocol", "websockets-sansio"
PRODUCT, STOCK = "Lucky Gas", "Channels' tutorial, daphne, pubsub"
FASTAPI_ORDERS = "FastAPI and SQLAlchemy"
ENGINE_IO = "/socket.io/?EIO=4&transport=websocket"

Feeds = dict[str, Callable[[Pinned], Sender]]


@dataclass(frozen=True)
class Target:
    """One server and the ways to publish an event to it, the usual one first."""

    name: str
    command: Callable[[Pinned], list[str]]
    # For each way to publish, by its name: a function that makes the sender. A peer has one way, named "".
    feeds: Feeds
    environment: dict[str, str] = field(default_factory=dict)
    paths: Callable[[int], list[str]] = lambda sockets: ["/ws"] * sockets
    # Options of the load client: its first message, and whether to wait for the server's first one.
    options: tuple[str, ...] = ()
    # What is not installed, or "".
    missing: Callable[[], str] = lambda: ""
    # A variant of another target; quick runs skip it.
    variant: bool = False

    def label(self, feed: str) -> str:
        return f"{self.name}, {feed}" if feed else self.name

    def sender(self, server: Pinned) -> Sender:
        return next(iter(self.feeds.values()))(server)

    @property
    def is_product(self) -> bool:
        return self.name == PRODUCT

    @property
    def is_stock(self) -> bool:
        """Whether this is the Channels setup that goals compare with."""
        return self.name == STOCK


def uvicorn(application: str, *options: str) -> Callable[[Pinned], list[str]]:
    python = [sys.executable, "-m", "uvicorn", application, "--no-access-log", "--log-level", "warning"]
    return lambda server: [*python, "--port", str(server.port), *options]


def product_command(protocol: str, application: str = "luckygas.asgi:application") -> Any:
    """The command of production, with one process."""
    loop = ["--loop", "uvloop", "--http", "realtime.uvicorn_protocols:HttpProtocol", "--lifespan", "off"]
    return uvicorn(application, "--ws", protocol, *loop)


def single_feed(sender: Callable[[Pinned], Sender]) -> Feeds:
    return {"": sender}


def products(chosen: str) -> list[Target]:
    """The product with `chosen` as its `--ws`, and a variant. Call it after `django.setup()`."""
    from bench import product

    def alone(server: Pinned) -> Sender:
        return product.HubSender(server.port, product.HUB_ALONE, str)

    def target(name: str, protocol: str, feeds: Feeds) -> Target:
        command = product_command(protocol, "bench.hub_alone:application")
        return Target(name, command, feeds, paths=product.paths, options=("-w",), variant=protocol != chosen)

    feeds: Feeds = {
        "an order changes": lambda server: product.OrderSender(),
        "through the log": lambda server: product.LogSender(),
        "the hub alone": alone,
    }
    return [target(PRODUCT, chosen, feeds), target(f"{PRODUCT} on ASGI send", ASGI, {"the hub alone": alone})]


def python_peers(redis_url: str) -> list[Target]:
    redis = {"REDIS_URL": redis_url}
    peers = [Target(
        "FastAPI, a dictionary of sockets", uvicorn("bench.peers.fastapi_dict:app"),
        single_feed(lambda server: senders.RedisSender(redis_url)), redis,
    ), Target(
        "python-socketio", uvicorn("bench.peers.python_socketio:app"),
        single_feed(lambda server: senders.ManagerSender(redis_url)), redis,
        lambda sockets: [ENGINE_IO] * sockets, ("-g", "40"),
    )]  # fmt: skip
    return [*(_channels(layer, redis_url) for layer in (PUBSUB, CORE)), *peers]


def _channels(layer: str, redis_url: str) -> Target:
    application = "bench.peers.channels_tutorial:application"
    return Target(
        f"Channels' tutorial, daphne, {'pubsub' if layer == PUBSUB else 'core'}",
        lambda server: [sys.executable, "-m", "daphne", "-v", "0", "-p", str(server.port), application],
        single_feed(lambda server: senders.GroupSender(layer, redis_url)),
        {"REDIS_URL": redis_url, "LAYER": layer},
        variant=layer == CORE,
    )


def _node_missing() -> str:
    if shutil.which("node") is None:
        return "not installed: node"
    return "" if (PEERS / "node/node_modules/ws").exists() else "not installed: npm install in bench/peers/node"


def node_peers() -> list[Target]:
    def command(script: str) -> Callable[[Pinned], list[str]]:
        return lambda server: ["node", str(PEERS / "node" / script), str(server.port)]

    def publish(event: dict[str, Any]) -> str:
        return "42" + json.dumps(["publish", event])

    return [
        Target(
            "Node ws", command("ws.js"), single_feed(lambda server: senders.SocketSender(server.port, "/", json.dumps)),
            missing=_node_missing,
        ),
        Target(
            "Node socket.io", command("socket_io.js"),
            single_feed(lambda server: senders.SocketSender(server.port, ENGINE_IO, publish, "40")),
            paths=lambda sockets: [ENGINE_IO] * sockets, options=("-g", "40"), missing=_node_missing,
        ),
    ]  # fmt: skip


def c_peers() -> list[Target]:
    def one_write(server: Pinned) -> list[str]:
        return [str(compile_program(PEERS / "one_write.c")), str(server.port)]

    def nginx(server: Pinned) -> list[str]:
        text = (PEERS / "nchan.conf").read_text().replace("PORT", str(server.port))
        (server.directory / "nginx.conf").write_text(text.replace("MODULES", str(NGINX_MODULES)))
        server.directory.chmod(0o755)
        return [shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(server.directory), "-c", "nginx.conf"]

    def nginx_missing() -> str:
        found = shutil.which("nginx", path="/usr/sbin:/usr/bin") and (NGINX_MODULES / "ngx_nchan_module.so").exists()
        return "" if found else "not installed: nginx, libnginx-mod-nchan"

    return [
        Target("nginx with nchan", nginx, single_feed(lambda server: senders.HttpSender(server.port)),
               paths=lambda sockets: ["/sub"] * sockets, missing=nginx_missing),
        Target("C, one write() per socket and event", one_write,
               single_feed(lambda server: senders.SocketSender(server.port, "/", json.dumps))),
    ]  # fmt: skip


def peers(redis_url: str) -> list[Target]:
    return [*python_peers(redis_url), *node_peers(), *c_peers()]
