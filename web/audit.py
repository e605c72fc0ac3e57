"""Who changed what: a row for each change of the columns that count, by django-simple-history."""

from __future__ import annotations

from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from web.tracked import Tracked


class Audit(HistoricalRecords):  # type: ignore[misc]  # django-simple-history has no types
    """Of a `Tracked` model. A save that wrote none of the columns in it writes no row.

    Whoever acts on an order stands in its `change`; otherwise it is who sent the request, by session or token.
    """

    def __init__(self, excluded: tuple[str, ...], **options: Any) -> None:
        # A row is found by what it is of: an index more is a write more.
        indexed = ("customer", "route", "driver", "user", "phone", "code")
        key: models.Field[int, int] = models.BigAutoField()
        options.setdefault("bases", (Before,))
        super().__init__(excluded_fields=excluded, no_db_index=indexed, history_id_field=key, **options)

    def post_save(self, instance: Tracked, created: bool, using: str | None = None, **kwargs: Any) -> None:
        columns = {field.attname for field in self.fields_included(instance)}
        has_items = bool(getattr(getattr(instance, "change", None), "items", ""))
        if created or has_items or not columns.isdisjoint(instance.before):
            super().post_save(instance, created, using, **kwargs)

    def get_history_user(self, instance: Tracked) -> Any:
        if (change := getattr(instance, "change", None)) and change.actor.by:
            return change.actor.by
        user = getattr(self._request(), "user", None)
        return user if user is not None and user.is_authenticated else None

    def get_change_reason_for_object(self, instance: Tracked, history_type: str, using: str | None) -> str:
        """From where: a `Source`."""
        if (change := getattr(instance, "change", None)) is not None:
            return str(change.actor.source)
        request = self._request()
        if request is None:
            return "command"
        if request.path_info.startswith("/admin/"):
            return "admin"
        return "rest" if "Authorization" in request.headers else "page"

    def _request(self) -> Any:
        return getattr(self.context, "request", None)


class Before(models.Model):
    """The columns that this change wrote anew, with the values it found: a row before may be missing, or be older."""

    before = models.JSONField(encoder=DjangoJSONEncoder, default=dict)

    class Meta:
        abstract = True


class ItemsThen(Before):
    """What was in the order, in words, where this change said it; else empty. `before` says what was in it before."""

    items = models.TextField(_("items"), blank=True, default="")

    class Meta:
        abstract = True


def note(instance: Tracked, history_instance: Any, **kwargs: Any) -> None:
    """Receiver of `pre_create_historical_record`."""
    columns = {column.attname for column in history_instance.tracked_fields}
    changed = instance.before if history_instance.history_type == "~" else {}
    history_instance.before = {name: value for name, value in changed.items() if name in columns}
    if isinstance(history_instance, ItemsThen):
        circumstances: Any = instance.change  # type: ignore[attr-defined]  # of an order
        history_instance.items = circumstances.items
        if circumstances.items_before:
            history_instance.before["items"] = circumstances.items_before
