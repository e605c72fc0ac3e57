"""Admin of products, their prices and stock."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.roles import check_page
from catalogue.models import CORRECT_STOCK, MAX_STOCK, Product
from web.admin import Button, Deactivation, confirmation_page
from web.refusals import Refusal


class StockForm(forms.Form):
    cylinders = forms.IntegerField(
        label=_("Cylinders to add"),
        min_value=-MAX_STOCK,
        max_value=MAX_STOCK,
        help_text=_("Enter a negative number to remove: -3 if three are missing."),
    )
    note = forms.CharField(label=_("Note"), max_length=200)

    def clean_cylinders(self) -> int:
        cylinders: int = self.cleaned_data["cylinders"]
        if cylinders == 0:
            raise ValidationError(_("Enter a number other than 0."))
        return cylinders


@admin.register(Product)
class ProductAdmin(Deactivation):
    pages = {"<int:pk>/stock/": "stock"}
    list_display = ("name", "code", "cylinder_kg", "price", "stock_level", "is_active")
    list_filter = ("is_active",)
    search_fields = ("name", "code", "aliases")
    fields = ("code", "name", "aliases", "cylinder_kg", "price", "stock", "low_stock_threshold", "is_active")
    # Deliveries may change the stock while a form is open. A correction therefore adds or removes cylinders.
    readonly_fields = ("stock",)

    def buttons(self, request: HttpRequest, obj: Product) -> Sequence[Button]:
        url = reverse("admin:catalogue_product_stock", args=[obj.pk])
        may_correct = request.user.has_perm(CORRECT_STOCK)
        return [Button(_("Correct the stock"), url, posts=False)] if may_correct else []

    def stock_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        product = get_object_or_404(Product, pk=pk)
        check_page(request.user, CORRECT_STOCK)
        form, back = StockForm(request.POST or None), reverse("admin:catalogue_product_change", args=[pk])
        if form.is_valid():
            try:
                self.correct_stock(request, product, **form.cleaned_data)
            except Refusal as refusal:
                form.add_error("cylinders", str(refusal))
            else:
                return redirect(back)
        subjects = [f"{product}: {product.stock}"]
        return confirmation_page(
            request, self, title=gettext("Correct the stock"), form=form, subjects=subjects, back=back
        )

    @transaction.atomic
    def correct_stock(self, request: HttpRequest, product: Product, cylinders: int, note: str) -> None:
        Product.add_stock(product.pk, cylinders)
        product.refresh_from_db()
        if abs(product.stock) > MAX_STOCK:
            raise Refusal(
                "stock_too_large",
                _("The stock must stay within ±%d. Please add or remove fewer cylinders.") % MAX_STOCK,
                attr="cylinders",
            )
        values = {"cylinders": f"{cylinders:+d}", "stock": product.stock}
        text = gettext("Stock changed by %(cylinders)s to %(stock)d.") % values
        self.log_change(request, product, f"{text} {note}")
        self.message_user(request, text, messages.SUCCESS)

    @admin.display(description=_("stock"), ordering="stock")
    def stock_level(self, product: Product) -> str:
        if product.stock >= product.low_stock_threshold:
            return str(product.stock)
        return format_html('<span class="badge bad">{}</span>', product.stock)
