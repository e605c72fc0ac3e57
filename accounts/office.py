"""The group “office”: what staff who are not superusers may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import Group, Permission

if TYPE_CHECKING:
    from django.apps import AppConfig

NAME = "office"
# By the label of the app: the other apps need not be known here. Nobody gets to delete.
ACTIONS = {
    "customers": ("view", "add", "change"),
    "catalogue": ("view", "add", "change"),
    "dispatch": ("view", "add", "change"),
    "orders": ("view", "add", "change"),
    "notifications": ("view",),
    "realtime": ("view",),
    "health": ("view",),
}
MORE = {
    # The accounts of drivers and customers (see `accounts.may_manage`).
    "auth": ("view_user", "change_user"),
    # To send a message again, and against the customer's wish; history itself is written by nobody.
    "notifications": ("change_notificationhistory", "overrule_wish"),
    "realtime": ("add_outbox",),  # to tell an event to all screens
    "health": ("change_systemmetric",),  # to clear the cache
}


def grant(app_config: AppConfig, using: str, **kwargs: Any) -> None:
    """Receiver of `post_migrate`, after that of `django.contrib.auth` which makes the permissions of the same app.

    The group belongs to the product: every migration brings it up to date. For other rights, make another group.
    """
    label = app_config.label
    codenames = list(MORE.get(label, ()))
    # What was is seen where it is of, and written by nobody.
    models = [model for model in app_config.get_models() if not hasattr(model, "history_object")]
    for action in ACTIONS.get(label, ()):
        codenames += [get_permission_codename(action, model._meta) for model in models]
    if codenames:
        found = Permission.objects.using(using).filter(content_type__app_label=label, codename__in=codenames)
        group, _ = Group.objects.using(using).get_or_create(name=NAME)
        group.permissions.add(*found)
