from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from orders.models import Order
from orders.models.order import Proof
from orders.models.proof import keep
from orders.tests.admin.browser import Browser, change
from orders.tests.factories import make_office, make_order
from orders.tests.test_proof_images import encoded

pytestmark = pytest.mark.django_db


def test_history_says_who_what_why_and_from_where(office: Browser) -> None:
    order = make_order()
    order.transition_to("cancelled", by=make_office(first_name="林會計"), source="rest", reason="客戶改日再訂")
    shown = office.get(change("order", order.pk))
    for text in ("林會計", "客戶改日再訂", "API", "badge waiting", "badge over"):
        assert text in shown, text


def test_proof_of_delivery_is_shown(office: Browser) -> None:
    order = make_order("arriving")
    order.transition_to("delivered", proof=Proof("qr_code", ["CYL789"]))
    shown = office.get(change("order", order.pk))
    assert "CYL789" in shown
    assert "QR code" in shown


def test_what_a_driver_reported_later_is_marked(office: Browser) -> None:
    order = make_order("assigned", created_at=timezone.now() - timedelta(hours=1))
    path, mark = change("order", order.pk), "sent later, from offline"
    order.transition_to("delivering", at=timezone.now() - timedelta(seconds=50))
    assert mark not in office.get(path)
    order.transition_to("arriving", at=timezone.now() - timedelta(seconds=70))
    assert office.get(path).count(mark) == 1


def test_signatures_and_photos_are_shown(office: Browser) -> None:
    order = make_order("delivered")
    image = SimpleUploadedFile("s.jpg", encoded(), "image/jpeg")
    kept = keep(Order.objects.all(), "signature", image, by=make_office())
    assert f'src="/api/v1/orders/{order.pk}/proof-images/{kept.pk}/"' in office.get(change("order", order.pk))


def test_history_is_not_written_by_hand(office: Browser) -> None:
    order = make_order("confirmed")
    path = change("order", order.pk)
    said = {"history-0-reason": "other", "history-TOTAL_FORMS": 3, "history-2-to_status": "delivered"}
    office.post(path, office.form(path, "order_form") | said)
    assert [(row.to_status, row.reason) for row in order.history.all()] == [("pending", ""), ("confirmed", "測試")]
