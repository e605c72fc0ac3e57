from __future__ import annotations

from typing import Any

import pytest

from notifications.models import NotificationHistory
from notifications.states import MessageKind, MessageType
from notifications.tests.factories import make_quiet_order
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_product

pytestmark = pytest.mark.django_db


def mail(
    kind: MessageKind = MessageKind.ORDER_CONFIRMED, language: str = "en", **fields: Any
) -> tuple[Order, str, str]:
    """Returns a new order, and the subject and body of a mail about it."""
    customer = make_customer(phone="02-2930-0016", email="wang@example.org", language=language)
    product = make_product(name="20kg 瓦斯桶", price=800)
    order = make_quiet_order(
        fields.pop("status", OrderStatus.CONFIRMED), customer=customer, product=product, quantity=2
    )
    row = NotificationHistory(kind=kind, order=order, customer=customer, type=MessageType.EMAIL)
    subject, empty, body = row.render().split("\n", 2)
    assert empty == ""
    return order, subject, body


def test_mail_has_text_of_sms_and_items(settings: Any) -> None:
    order, subject, body = mail()
    assert subject == f"幸福氣 {order}: order confirmed"
    assert body.startswith(f"Gas order {order} is confirmed for 11/23.\n")
    for line in ("Delivery date: 2099/11/23 any time", "- 20kg 瓦斯桶 × 2 × NT$800", "To pay: NT$1,600"):
        assert line in body
    assert settings.TRACKING_URL + order.tracking_token in body
    assert "Paid" not in body


def test_mail_after_delivery_shows_the_amount_paid() -> None:
    order, _, _ = mail(status=OrderStatus.DELIVERED)
    order.amount_collected = 1500
    order.save()
    row = NotificationHistory(
        kind=MessageKind.ORDER_DELIVERED, order=order, customer=order.customer, type=MessageType.EMAIL
    )
    assert "Paid: NT$1,500" in row.render()


def test_mail_is_in_the_customers_language() -> None:
    order, _, body = mail(language="zh-hant")
    assert body.startswith(f"您的瓦斯訂單 {order} 已確認。預計送達時間：11/23\n")


def test_typed_text_is_neither_escaped_nor_a_header() -> None:
    customer = make_customer(phone="", email="wang@example.org", address="台北市 <1> & 2 樓")
    order = make_quiet_order(customer=customer, delivery_address="台北市 <1> & 2 樓\nBcc: all@example.org")
    row = NotificationHistory(kind=MessageKind.ORDER_CONFIRMED, order=order, customer=customer, type=MessageType.EMAIL)
    subject, _, body = row.render().partition("\n")
    assert "台北市 <1> & 2 樓" in body
    assert "Bcc" not in subject
