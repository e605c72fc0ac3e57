"""Where the demo's customers live: somewhere in their district, for the map."""

from __future__ import annotations

from random import Random

from customers.models import Customer

# The middle of each district, degrees WGS 84.
DISTRICTS = {
    "大安區": (25.0265, 121.5436), "中正區": (25.0324, 121.5180), "信義區": (25.0339, 121.5645),
    "文山區": (24.9890, 121.5700), "永和區": (25.0095, 121.5160), "中和區": (24.9990, 121.4985),
    "新店區": (24.9680, 121.5410), "板橋區": (25.0115, 121.4620), "三重區": (25.0615, 121.4880),
}  # fmt: skip
# About a kilometre.
SPREAD = 0.009


def place_customers() -> None:
    """Gives each a door; the same one in every demo."""
    customers = list(Customer.objects.filter(area__in=DISTRICTS, latitude=None).order_by("id"))
    for customer in customers:
        chance = Random(customer.address)  # noqa: S311  (a demo, not a secret)
        middle = DISTRICTS[customer.area]
        customer.latitude, customer.longitude = (place + chance.uniform(-SPREAD, SPREAD) for place in middle)
    # No screen is open yet that would have to be told.
    Customer.objects.unannounced().bulk_update(customers, ["latitude", "longitude"])
