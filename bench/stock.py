"""Inserts many orders as rows, because their creation is not measured. Import it after `django.setup()`."""

from __future__ import annotations

from datetime import date

from catalogue.models import Product
from customers.models import Customer
from dispatch.models import Driver
from orders.models import Order, OrderItem
from orders.states import OrderStatus

# Inserted orders have the numbers from here on. The product draws only a few at random, so they hardly collide.
FIRST_NUMBER = 5000_0000
CUSTOMERS = 1000
DAY = date(2099, 11, 23)


def customers() -> list[Customer]:
    """Returns CUSTOMERS customers with a mobile number and an address. Creates them on first use."""
    if not (rows := list(Customer.objects.filter(name__startswith="陳").order_by("pk"))):
        rows = Customer.objects.unannounced().bulk_create(
            Customer(
                name=f"陳先生{number}", phone=f"+886955{number:06d}", address=f"台中市西區民生路{number}號",
                area="西區", latitude=24.14, longitude=120.67,
            )
            for number in range(CUSTOMERS)
        )  # fmt: skip
    return rows


def orders(count: int, status: str = OrderStatus.PENDING) -> list[Order]:
    """Inserts `count` orders with one item each, assigned to the first driver if the status requires one."""
    owners, product = customers(), Product.objects.get()
    driver = None if status in (OrderStatus.PENDING, OrderStatus.CONFIRMED) else Driver.objects.order_by("pk")[0]
    first = FIRST_NUMBER + Order.objects.count()
    created = Order.objects.unannounced().bulk_create(
        (
            Order(
                order_number=f"{number // 10_000:04}-{number % 10_000:04}", customer=customer, status=status,
                driver=driver, scheduled_date=DAY, delivery_address=customer.address, area="西區", amount_due=800,
            )
            for number, customer in ((first + place, owners[place % len(owners)]) for place in range(count))
        ),
        batch_size=5000,
    )  # fmt: skip
    items = (OrderItem(order=order, product=product, quantity=1, unit_price=800) for order in created)
    OrderItem.objects.bulk_create(items, batch_size=5000)
    return created
