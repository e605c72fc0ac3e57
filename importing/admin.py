"""Orders → Import: a sheet uploaded, checked or imported, and what became of each row."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.roles import check_page
from importing.columns import UnreadableSheet
from importing.importer import NoProducts, import_orders
from importing.models import CheckedSheet
from importing.report import Mode, Report
from orders.models import Order
from web import throttling
from web.throttling import please_wait

# What a person waits for in a browser, some ten seconds; longer files go through the command.
MAX_ROWS = 2_000
GONE = _(
    "This sheet expired or was already imported. Please choose the file again. Rows already imported "
    "are recognised and not ordered twice."
)


class ImportForm(forms.Form):
    file = forms.FileField(
        label=_("Sheet"),
        help_text=format_lazy(
            _("Excel or LibreOffice (.xlsx, .xls, .ods; the first sheet) or CSV, at most {rows} rows."), rows=MAX_ROWS
        ),
    )
    mode = forms.ChoiceField(
        label=_("What to do"),
        widget=forms.RadioSelect,
        initial=Mode.CHECK.value,
        choices=[
            (Mode.CHECK.value, _("Check only: nothing is changed")),
            (Mode.GOOD.value, _("Import the correct rows")),
            (Mode.ALL.value, _("Import all rows, or none if one is wrong")),
        ],
    )
    encoding = forms.ChoiceField(
        label=_("Encoding of a CSV file"),
        required=False,
        choices=[
            ("", _("detect automatically")), ("utf-8", "UTF-8"), ("big5", "Big5"),
            ("big5hkscs", _("Big5 with HKSCS (Hong Kong)")), ("utf-16", "UTF-16"),
        ],
    )  # fmt: skip

    kept: CheckedSheet | None = None

    def imported(self, user: User) -> Report | None:
        """The report; None where the file cannot be read, and the form says why. What was checked is kept."""
        asked = self.cleaned_data
        data, mode = asked["file"].read(), Mode(asked["mode"])
        try:
            report = import_orders(data, mode=mode, by=user, encoding=asked["encoding"], max_rows=MAX_ROWS)
        except UnreadableSheet as error:
            self.add_error("file", in_the_admin(error, user))
            return None
        if mode is Mode.CHECK and report.created:
            self.kept = CheckedSheet.keep(user, data, name=asked["file"].name or "", encoding=asked["encoding"])
        return report


class CheckedForm(forms.Form):
    """The button below the report of a check."""

    token = forms.CharField(max_length=43)
    kept = None

    def clean(self) -> None:
        if "token" not in self.cleaned_data:
            raise ValidationError(GONE)

    def imported(self, user: User) -> Report | None:
        """The report; None where the sheet is not kept any longer, and the form says so."""
        sheet = CheckedSheet.take(user, self.cleaned_data["token"])
        try:
            if sheet is not None:
                return import_orders(bytes(sheet.data), by=user, encoding=sheet.encoding, max_rows=MAX_ROWS)
            self.add_error(None, GONE)
        except Error:  # another import is at it: the page is asked again, and knows the rows that are in
            if sheet is not None:
                sheet.save()
            raise
        except UnreadableSheet as error:  # the products were deactivated meanwhile
            self.add_error(None, in_the_admin(error, user))
        return None


def in_the_admin(error: UnreadableSheet, user: User) -> str:
    """The message; of missing products with a link to where they are added."""
    if isinstance(error, NoProducts) and user.has_perm("catalogue.view_product"):
        products = reverse("admin:catalogue_product_changelist")
        return format_html('{} <a href="{}">{}</a>', error, products, gettext("products"))
    return str(error)


def import_view(request: HttpRequest) -> HttpResponse:
    """The page Orders → Import, for staff who may add orders."""
    user = cast("User", request.user)  # signed in, as `admin_view` sees to
    check_page(user, "orders.add_order")
    CheckedSheet.delete_expired()
    if "token" in request.POST:
        form: ImportForm | CheckedForm = CheckedForm(request.POST)
    else:
        form = ImportForm(request.POST or None, request.FILES or None)
    wait = throttling.wait_for("import", user.pk) if form.is_bound else None
    if wait is not None:
        form.add_error(None, please_wait(wait))
    report = form.imported(user) if form.is_valid() else None
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": gettext("Import orders"),
        "opts": Order._meta,
        "form": form if isinstance(form, ImportForm) else ImportForm(),
        "errors": form.non_field_errors(),
        "report": report,
        "kept": form.kept,
    }
    return TemplateResponse(request, "admin/importing/import.html", context, status=429 if wait else 200)
