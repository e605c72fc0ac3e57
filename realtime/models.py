"""What the screens are told, in the order it was committed (see docs/realtime.md)."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dispatch.models import Driver
from web import request_id


class Outbox(models.Model):
    """A change that is committed and not yet numbered; written in the transaction of the change.

    `subject` says what changed (`order:17`), `delta` every fact of the change itself: three quick moves of one order
    must say three different things, however late they are numbered.
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
    """One event of the log, at its final position. `data` is what every reader of its channels may see."""

    seq = models.BigIntegerField(_("id"), primary_key=True)
    type = models.CharField(_("type"), max_length=64)
    channels = models.JSONField(_("channels"))
    data = models.JSONField(_("data"))
    created_at = models.DateTimeField(_("at"), db_index=True)
    # Of the change, for the logs; no reader is told.
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
    """One row: the lock under which events are numbered, and the counter.

    `epoch` changes when the log begins anew (another database; `realtime.epochs`), and `past` are the epochs of before
    whose cursors are still good, with the last that is: `[["…", 920]]`. `origin` is the database in which it was
    numbered last, `stamp` differs with each numbering. `floor` is the last position no longer kept.
    """

    epoch = models.CharField(max_length=32, default=new_epoch)
    seq = models.BigIntegerField(default=0)
    floor = models.BigIntegerField(default=0)
    past = models.JSONField(default=list, db_default=[])
    origin = models.CharField(max_length=200, default="", db_default="")
    stamp = models.CharField(max_length=32, default="", db_default="")
    # Of a row that was read with `epochs.here`: the database that it was read in; empty on SQLite.
    here: str = ""

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


class WebSocketConnection(models.Model):
    """A socket that is open now, as its server last reported; rows no longer refreshed are dead and age out."""

    connection_id = models.UUIDField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        null=True,
        related_name="+",
        verbose_name=_("account"),
        db_constraint=False,  # a token outlives its account by minutes: that must not stop the other rows
    )
    role = models.CharField(_("role"), max_length=12)
    endpoint = models.CharField(_("endpoint"), max_length=12)
    instance = models.CharField(_("server"), max_length=80)
    owner = models.CharField(max_length=32, help_text="Whose connections are counted together: `user:17`, `track:5`.")
    connected_at = models.DateTimeField(_("connected at"))
    last_ping = models.DateTimeField(_("last seen"))

    class Meta:
        db_table = "websocket_connections"
        verbose_name, verbose_name_plural = _("open connection"), _("open connections")
        ordering = ("-connected_at",)

    def __str__(self) -> str:
        return str(self.connection_id)


class OnlineDriver(models.Model):
    """A driver whom the office's screens were told to be online; the row goes with the event that says the contrary.

    `unseen_since`: when no open connection of theirs was found for the first time.
    """

    driver = models.OneToOneField(Driver, models.CASCADE, primary_key=True, related_name="+")
    unseen_since = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.driver_id)


class WebSocketTicket(models.Model):
    """A single use pass for one socket, for a client that should not put its token in a URL."""

    key_hash = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of the ticket, in hex.")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    expires_at = models.DateTimeField(db_index=True)
    session = models.CharField(
        max_length=64, blank=True, help_text="The sign-in that asked for it; its sockets end with it."
    )

    def __str__(self) -> str:
        return f"{self.user} {self.expires_at:%H:%M:%S}"
