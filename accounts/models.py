"""The roles of office staff."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.roles import STAFF, Role


class StaffRole(models.Model):
    """Owner, manager or clerk. Staff without a row are clerks.

    Rows of superusers, who are owners, and of users who are not staff are ignored.
    """

    user = models.OneToOneField(
        User, models.CASCADE, primary_key=True, related_name="staff_role", verbose_name=_("account")
    )
    role = models.CharField(_("role"), max_length=12, choices=[(role.value, role.label) for role in STAFF])

    class Meta:
        verbose_name, verbose_name_plural = _("role of staff"), _("roles of staff")
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=[role.value for role in STAFF]), name="role_of_staff")
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.get_role_display()}"

    @classmethod
    def give(cls, user: User, role: Role) -> None:
        """Saves the role if it differs; receivers of `post_save` then close the user's sockets.

        The caller must set `is_staff`.
        """
        row = cls.objects.filter(user=user).first() or cls(user=user)
        if row.role != role:
            row.role = role.value
            row.save()
