"""Sheets that are stored between their check and their import."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# Enough time to read a report. A sheet contains personal data, so it is not stored for longer.
EXPIRES_AFTER = timedelta(hours=1)


class CheckedSheet(models.Model):
    """The last sheet that a user checked, so that they can import it without another upload.

    It expires after EXPIRES_AFTER. It is in the database because another server may receive the import.
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
    def store(cls, user: User, data: bytes, *, name: str, encoding: str) -> CheckedSheet:
        """Stores a sheet in place of the user's previous one. Returns it with a new token."""
        fields = {
            "data": data, "name": name[:100], "encoding": encoding,
            "token": secrets.token_urlsafe(), "checked_at": timezone.now(),
        }  # fmt: skip
        return cls.objects.update_or_create(user=user, defaults=fields)[0]

    @classmethod
    def claim(cls, user: User, token: str) -> CheckedSheet | None:
        """Returns and deletes the user's sheet with this token; None if it expired or was claimed or replaced.

        Of two concurrent claims, one gets it.
        """
        cls.delete_expired()
        stored = cls.objects.filter(user=user, token=token)
        sheet = stored.first()
        return sheet if sheet and stored.delete()[0] else None

    @classmethod
    def delete_expired(cls) -> None:
        cls.objects.filter(checked_at__lt=timezone.now() - EXPIRES_AFTER).delete()
