"""Orders → Import: a sheet uploaded, checked or imported, and what became of each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orders.api import throttles
from orders.api.exceptions import TooMany
from orders.importing.importer import import_orders
from orders.importing.report import Mode, Report
from orders.importing.sheet import MAX_BYTES, UnreadableSheet

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile
    from django.http import HttpRequest, HttpResponse

    from orders.models import Order

    OrderAdminBase = admin.ModelAdmin[Order]
else:
    OrderAdminBase = admin.ModelAdmin

# What a person waits for in a browser, some ten seconds; longer files go through the command.
MAX_ROWS = 2_000


class ImportForm(forms.Form):
    file = forms.FileField(
        label=_("Sheet"),
        help_text=format_lazy(
            _("CSV with comma, semicolon or tab, at most {rows} rows; the first row has the headings."), rows=MAX_ROWS
        ),
    )
    mode = forms.ChoiceField(
        label=_("What to do"),
        widget=forms.RadioSelect,
        initial=Mode.CHECK.value,
        choices=[
            (Mode.CHECK.value, _("Check only: nothing is changed")),
            (Mode.GOOD.value, _("Import the rows that are right")),
            (Mode.ALL.value, _("Import all rows, or none if one is wrong")),
        ],
    )
    encoding = forms.ChoiceField(
        label=_("Encoding"),
        required=False,
        choices=[("", _("found by itself")), ("utf-8", "UTF-8"), ("big5", "Big5"), ("utf-16", "UTF-16")],
    )

    def clean_file(self) -> UploadedFile:
        file: UploadedFile = self.cleaned_data["file"]
        if (file.size or 0) > MAX_BYTES:
            raise ValidationError(gettext("The file is larger than %d MB; please split it.") % (MAX_BYTES // 1024**2))
        return file

    def imported(self, request: HttpRequest) -> Report | None:
        """The report; None where the file cannot be read, and the form says why."""
        asked = self.cleaned_data
        try:
            return import_orders(
                asked["file"].read(),
                mode=Mode(asked["mode"]),
                by=request.user if request.user.is_authenticated else None,
                encoding=asked["encoding"],
                max_rows=MAX_ROWS,
            )
        except UnreadableSheet as error:
            self.add_error("file", str(error))
            return None


class ImportView(OrderAdminBase):
    """Mixed into the admin of orders: the page `import/`, for staff who may add orders."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name="orders_order_import"), *super().get_urls()]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ImportForm(request.POST or None, request.FILES or None)
        wait = throttles.wait_for("import", request.user.pk) if form.is_bound else None
        if wait is not None:
            form.add_error(None, str(TooMany(wait).detail))
        report = form.imported(request) if form.is_valid() else None
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": gettext("Import orders"),
            "opts": self.opts,
            "form": form,
            "report": report,
        }
        return TemplateResponse(request, "admin/orders/order/import.html", context, status=429 if wait else 200)
