"""The outbox, the event log and the open sockets (see docs/realtime.md)."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dispatch.models import Driver
from web import request_id


class Outbox(models.Model):
    """A change that is not in the event log yet. It is written in the transaction of the change.

    `subject` names what changed (`order:17`). `delta` holds the facts that a later change may overwrite: three quick
    moves of one order must become three different events, even if they reach the log late.
    """

    type = models.CharField(max_length=64)
    subject = models.CharField(max_length=64)
    delta = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    request_id = models.CharField(
        max_length=request_id.LENGTH, blank=True, default=request_id.current, db_default="", editable=False
    )

    def __str__(self) -> str:
        return f"{self.type} {self.subject}"


class Event(models.Model):
    """One event of the log, with its id `seq`. Every subscriber of its `channels` may see its `data`."""

    seq = models.BigIntegerField(_("id"), primary_key=True)
    type = models.CharField(_("type"), max_length=64)
    channels = models.JSONField(_("channels"))
    data = models.JSONField(_("data"))
    created_at = models.DateTimeField(_("at"), db_index=True)
    # The request that made the change. For log files only; clients do not receive it.
    request_id = models.CharField(
        _("request id"), max_length=request_id.LENGTH, blank=True, default="", db_default="", editable=False
    )

    class Meta:
        verbose_name, verbose_name_plural = _("event"), _("event log")
        ordering = ("-seq",)

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"


def new_epoch() -> str:
    return uuid.uuid4().hex


class LogHead(models.Model):
    """The single row that holds the last event id, `seq`. Events get their ids while the row is locked.

    `epoch` changes when the database was replaced (`realtime.epochs`). `past` lists earlier epochs with their last
    valid cursor: `[["…", 920]]`. `origin` identifies the database that last assigned event ids; `stamp` changes with
    each batch of events. Events up to `floor` are pruned, or about to be.
    """

    epoch = models.CharField(max_length=32, default=new_epoch)
    seq = models.BigIntegerField(default=0)
    floor = models.BigIntegerField(default=0)
    past = models.JSONField(default=list, db_default=[])
    origin = models.CharField(max_length=200, default="", db_default="")
    stamp = models.CharField(max_length=32, default="", db_default="")
    # The database that the row was read from, if annotated with `epochs.database_identity`. Empty on SQLite.
    database: str = ""

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


class WebSocketConnection(models.Model):
    """An open socket. Its server refreshes `last_ping`; rows that are no longer refreshed are stale and are deleted."""

    connection_id = models.UUIDField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        null=True,
        related_name="+",
        verbose_name=_("account"),
        db_constraint=False,  # a token outlives a deleted account by minutes; the row of its socket must be storable
    )
    role = models.CharField(_("role"), max_length=12)
    endpoint = models.CharField(_("endpoint"), max_length=12)
    instance = models.CharField(_("server"), max_length=80)
    owner = models.CharField(max_length=32, help_text="The connection limit counts per owner: `user:17`, `track:5`.")
    connected_at = models.DateTimeField(_("connected at"))
    last_ping = models.DateTimeField(_("last seen"))

    class Meta:
        db_table = "websocket_connections"
        verbose_name, verbose_name_plural = _("open connection"), _("open connections")
        ordering = ("-connected_at",)

    def __str__(self) -> str:
        return str(self.connection_id)


class OnlineDriver(models.Model):
    """A driver announced as online. The row is deleted in the transaction that announces them as offline.

    `unseen_since`: when a server first found that they have no open socket; null while they have one.
    """

    driver = models.OneToOneField(Driver, models.CASCADE, primary_key=True, related_name="+")
    unseen_since = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.driver_id)


class WebSocketTicket(models.Model):
    """A single-use ticket for one socket, so that a client need not put its token into a URL."""

    key_hash = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of the ticket, in hex.")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    expires_at = models.DateTimeField(db_index=True)
    session = models.CharField(
        max_length=64, blank=True, help_text="The sign-in that requested it. Signing out closes its sockets."
    )

    def __str__(self) -> str:
        return f"{self.user} {self.expires_at:%H:%M:%S}"
