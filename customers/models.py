"""Customers, and the search for them by part of a name, address or telephone number."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Case, Q, When
from django.utils.translation import gettext_lazy as _

from accounts import visibility
from customers import addresses, phones
from web.audit import Audit
from web.limits import latitude_field, longitude_field
from web.text import remove_invisible
from web.tracked import AnnouncedQuerySet, Tracked

PHONES = ("phone", "phone2")
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")  # noqa: RUF001  (many addresses are written so)


def text_matches(text: str, *columns: str) -> Q:
    """Matches rows where one of these columns contains the text in one of its usual spellings."""
    half_width = addresses.search_spellings(text)
    spellings = {text, *half_width, *(spelling.translate(FULL_WIDTH) for spelling in half_width)}
    return Q(
        *((f"{column}__icontains", spelling) for column in columns for spelling in sorted(spellings)), _connector=Q.OR
    )


def phone_matches(text: str, lookup: str, *columns: str) -> Q:
    """Matches rows where `lookup` (`contains`, `endswith`) finds a number typed in `text` in one of these columns.

    If `text` is anything else than numbers, it matches no row.
    """
    parts = phones.search_digits(text)
    if not parts:
        return visibility.NO_ROWS
    return Q(*((f"{column}__{lookup}", part) for column in columns for part in parts), _connector=Q.OR)


class CustomerQuerySet(AnnouncedQuerySet["Customer"]):
    to_change = to_add = to_remove = "customers.models.Customer.save"

    def active(self) -> CustomerQuerySet:
        return self.filter(is_active=True)

    def search(self, text: str) -> CustomerQuerySet:
        """Matches part of the name, the address or a telephone. An empty text matches all customers.

        Customers whose number ends with the typed digits come first.
        """
        text = remove_invisible(text).strip()[:100]
        if not text:
            return self
        found = self.filter(text_matches(text, "name", "address") | phone_matches(text, "contains", *PHONES))
        if not phones.search_digits(text):
            return found
        ends_so = Case(When(phone_matches(text, "endswith", *PHONES), then=0), default=1)
        return found.order_by(ends_so, "name", "id")


class Customer(Tracked):
    """A customer. Messages go by SMS to the first mobile number, or else by e-mail. Never deleted."""

    name = models.CharField(_("name"), max_length=100)
    phone = phones.PhoneField(_("telephone"), blank=True, db_index=True)
    phone2 = phones.PhoneField(_("second telephone"), blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    address = models.CharField(_("address"), max_length=200)
    area = models.CharField(
        _("area"), max_length=20, blank=True, help_text=_("If empty, the area is taken from the address.")
    )
    latitude = latitude_field()
    longitude = longitude_field()
    notes = models.TextField(_("notes"), blank=True, max_length=2000)
    language = models.CharField(_("language"), max_length=8, choices=settings.LANGUAGES, default="zh-hant")
    sms_opt_out = models.BooleanField(_("no SMS at all"), default=False)
    sms_confirmed = models.BooleanField(_("SMS: order confirmed"), default=True)
    sms_on_the_way = models.BooleanField(_("SMS: driver on the way"), default=True)
    sms_arriving = models.BooleanField(_("SMS: driver arriving"), default=True)
    sms_delivered = models.BooleanField(_("SMS: order delivered"), default=True)
    sms_changes = models.BooleanField(_("SMS: failed, cancelled or rescheduled"), default=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="customer",
        verbose_name=_("account"),
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CustomerQuerySet.as_manager()
    audit = Audit(("created_at",))

    class Meta:
        base_manager_name = "objects"
        verbose_name, verbose_name_plural = _("customer"), _("customers")
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.area:
            self.area = addresses.district(self.address)
        super().save(*args, **kwargs)
