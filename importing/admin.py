"""Admin page Orders → Import: checks or imports an uploaded sheet and shows the report."""

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
from web.throttling import throttled_text

# How many rows an upload may have at most. Importing them takes about ten seconds. Longer files need the command
# `import_orders`.
MAX_ROWS = 2_000
SHEET_GONE = _(
    "This sheet expired, was already used, or was replaced by a later check. Please choose the file again. "
    "Rows already imported are recognised and not ordered twice."
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

    checked: CheckedSheet | None = None

    def run(self, user: User) -> Report | None:
        """Imports or checks the file. Stores a checked sheet that has rows to import.

        Returns None if the file is unreadable, and adds the error to the form.
        """
        submitted = self.cleaned_data
        data, mode = submitted["file"].read(), Mode(submitted["mode"])
        try:
            report = import_orders(data, mode=mode, by=user, encoding=submitted["encoding"], max_rows=MAX_ROWS)
        except UnreadableSheet as error:
            self.add_error("file", error_message(error, user))
            return None
        if mode is Mode.CHECK and report.created:
            name = submitted["file"].name or ""
            self.checked = CheckedSheet.store(user, data, name=name, encoding=submitted["encoding"])
        return report


class CheckedForm(forms.Form):
    """The form of the button below the report of a check: it imports the checked sheet."""

    token = forms.CharField(max_length=43)
    checked = None

    def clean(self) -> None:
        if "token" not in self.cleaned_data:
            raise ValidationError(SHEET_GONE)

    def run(self, user: User) -> Report | None:
        """Claims and imports the checked sheet.

        Returns None if the sheet is gone or unreadable, and adds the error to the form.
        """
        sheet = CheckedSheet.claim(user, self.cleaned_data["token"])
        try:
            if sheet is not None:
                return import_orders(bytes(sheet.data), by=user, encoding=sheet.encoding, max_rows=MAX_ROWS)
            self.add_error(None, SHEET_GONE)
        except Error:  # for example, another import holds the lock: keep the sheet for a retry, which skips known rows
            if sheet is not None:
                sheet.save()
            raise
        except UnreadableSheet as error:  # for example, the products were deactivated after the check
            self.add_error(None, error_message(error, user))
        return None


def error_message(error: UnreadableSheet, user: User) -> str:
    """The error's text. If no product is active, users who may view products also get a link to their admin page."""
    if isinstance(error, NoProducts) and user.has_perm("catalogue.view_product"):
        products = reverse("admin:catalogue_product_changelist")
        return format_html('{} <a href="{}">{}</a>', error, products, gettext("products"))
    return str(error)


def import_view(request: HttpRequest) -> HttpResponse:
    """Displays the form, and checks or imports a posted sheet. For staff who may add orders."""
    user = cast("User", request.user)  # `admin_view` requires signing in
    check_page(user, "orders.add_order")
    CheckedSheet.delete_expired()
    if "token" in request.POST:
        form: ImportForm | CheckedForm = CheckedForm(request.POST)
    else:
        form = ImportForm(request.POST or None, request.FILES or None)
    wait = throttling.wait_for("import", user.pk) if form.is_bound else None
    if wait is not None:
        form.add_error(None, throttled_text(wait))
    report = form.run(user) if form.is_valid() else None
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": gettext("Import orders"),
        "opts": Order._meta,
        "form": form if isinstance(form, ImportForm) else ImportForm(),
        "errors": form.non_field_errors(),
        "report": report,
        "kept": form.checked,
    }
    return TemplateResponse(request, "admin/importing/import.html", context, status=429 if wait else 200)
