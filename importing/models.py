"""Sheets between the check and the import."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# Long enough to look at a report, short enough for names and numbers that nobody needs.
KEPT_FOR = timedelta(hours=1)


class CheckedSheet(models.Model):
    """A sheet that somebody had checked, kept for their import of it: the last one of each person, for an hour.

    It is in the database because the import may reach another server than the check did.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+")
    token = models.CharField(max_length=43)
    name = models.CharField(max_length=100)
    encoding = models.CharField(max_length=20)
    data = models.BinaryField()
    checked_at = models.DateTimeField()

    class Meta:
        verbose_name, verbose_name_plural = _("checked sheet"), _("checked sheets")
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

    @classmethod
    def keep(cls, user: User, data: bytes, *, name: str, encoding: str) -> CheckedSheet:
        """In place of the one this user had checked before."""
        fields = {
            "data": data, "name": name[:100], "encoding": encoding,
            "token": secrets.token_urlsafe(), "checked_at": timezone.now(),
        }  # fmt: skip
        return cls.objects.update_or_create(user=user, defaults=fields)[0]

    @classmethod
    def take(cls, user: User, token: str) -> CheckedSheet | None:
        """The sheet, which is gone from here then: of two who take it, one gets it. None: it is not kept any longer."""
        cls.delete_expired()
        kept = cls.objects.filter(user=user, token=token)
        sheet = kept.first()
        return sheet if sheet and kept.delete()[0] else None

    @classmethod
    def delete_expired(cls) -> None:
        cls.objects.filter(checked_at__lt=timezone.now() - KEPT_FOR).delete()
