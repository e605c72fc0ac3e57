"""The cylinders a depot sells; prices near Taipei's of 2026."""

from __future__ import annotations

from catalogue.models import Product

# kg, NT$, in stock, low below, names that the weight alone does not give.
CYLINDERS = [
    (4, 260, 60, 10, ("小桶4",)),
    (10, 450, 80, 15, ()),
    (16, 640, 120, 25, ()),
    (20, 760, 200, 40, ()),
    (50, 1_850, 55, 15, ("大桶50", "大桶")),
]


def make_products() -> None:
    for kg, price, stock, low, more in CYLINDERS:
        Product.objects.create(
            code=f"LPG{kg}", name=f"{kg}kg 瓦斯桶", cylinder_kg=kg, price=price, stock=stock, low_stock_threshold=low,
            aliases="\n".join((f"{kg}kg", f"{kg}公斤", f"{kg}公斤瓦斯", f"{kg}公斤瓦斯桶", *more)),
        )  # fmt: skip
