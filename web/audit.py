"""The audit trail, stored with django-simple-history: one row for each change of audited columns or order items."""

from __future__ import annotations

from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from web.tracked import Tracked


class Audit(HistoricalRecords):  # type: ignore[misc]  # django-simple-history has no types
    """The history of a `Tracked` model. A save that changes neither an audited column nor an order's items adds no row.

    The row names the user in the object's `change`, which only orders have. Without one it names the user of the
    request (session or token), if any.
    """

    def __init__(self, excluded: tuple[str, ...], **options: Any) -> None:
        # Queries find history rows only by the row they belong to; other indexes would only slow down writes.
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
        """The `Source` of the change, from the object's `change` or else from the request."""
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
    """Columns of a history row. `before` maps the changed columns to their old values.

    The previous history row is not enough, because it may be missing.
    """

    before = models.JSONField(encoder=DjangoJSONEncoder, default=dict)

    class Meta:
        abstract = True


class ItemsThen(Before):
    """`items` is the order's content as text if this change set it, else empty. `before["items"]` is the old text."""

    items = models.TextField(_("items"), blank=True, default="")

    class Meta:
        abstract = True


def fill_history_row(instance: Tracked, history_instance: Any, **kwargs: Any) -> None:
    """Receiver of `pre_create_historical_record`: fills `before` and `items`."""
    columns = {column.attname for column in history_instance.tracked_fields}
    changed = instance.before if history_instance.history_type == "~" else {}
    history_instance.before = {name: value for name, value in changed.items() if name in columns}
    if isinstance(history_instance, ItemsThen):
        change: Any = instance.change  # type: ignore[attr-defined]  # orders have it
        history_instance.items = change.items
        if change.items_before:
            history_instance.before["items"] = change.items_before
