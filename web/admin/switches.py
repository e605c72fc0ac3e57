"""The switches of the running system: each with its meaning, to be turned and nothing else."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from waffle.models import Switch

from web import flags
from web.admin.base import HouseAdmin

# django-waffle's own words, which it has in no Chinese.
WORDS = (
    gettext_noop("Switch"), gettext_noop("Name"), gettext_noop("Active"), gettext_noop("Note"), gettext_noop("Created"),
    gettext_noop("Modified"), gettext_noop("The human/computer readable name."),
    gettext_noop("Is this switch active?"), gettext_noop("Note where this Switch is used."),
)  # fmt: skip


@admin.register(Switch)
class SwitchAdmin(HouseAdmin):
    list_display = ("name", "active", "meaning", "modified")
    fields = ("name", "meaning", "active", "note")
    readonly_fields = ("name", "meaning")
    ordering = ("id",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """The program knows the names that mean something."""
        return False

    @admin.display(description=_("meaning"))
    def meaning(self, switch: Switch) -> str | Promise:
        return flags.MEANINGS.get(switch.name, "–")
