from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from orders.models import Order, OrderItem
from orders.models.order import Proof
from orders.models.proof import store
from orders.tests.admin.browser import Browser, change_url
from orders.tests.factories import (
    make_customer,
    make_driver,
    make_office,
    make_order,
    make_product,
)
from orders.tests.test_proof_images import make_image

pytestmark = pytest.mark.django_db


LIST, ADD = reverse("admin:orders_order_changelist"), reverse("admin:orders_order_add")


def count_queries(office: Browser, path: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        office.get(path)
    return len(queries)


def test_page_query_count_is_constant(office: Browser) -> None:
    short, long = make_order("assigned"), make_order("assigned")
    for _ in range(3):
        long.transition_to("confirmed", by=make_office())
        long.assign(make_driver(), by=make_office())
        OrderItem.objects.create(order=long, product=make_product(), quantity=1)
    office.get(change_url("order", short.pk))
    assert count_queries(office, change_url("order", long.pk)) == count_queries(office, change_url("order", short.pk))


@pytest.mark.parametrize("language", ["zh-hant", "en"])
@pytest.mark.parametrize("path", [LIST, ADD, "page"])
def test_pages_open_in_both_languages(office: Browser, language: str, path: str) -> None:
    order = make_order("delivered")
    answer = office.client.get(
        change_url("order", order.pk) if path == "page" else path, headers={"accept-language": language}
    )
    assert answer.status_code == 200
    assert f'lang="{language}"' in answer.content.decode()


@pytest.mark.parametrize("path", ["{}delete/", "{}"])
def test_superuser_cannot_delete_order(admin_client: Any, path: str) -> None:
    order = make_order()
    data = {"post": "yes", "action": "delete_selected", "_selected_action": order.pk}
    target = change_url("order", order.pk).removesuffix("change/") if "delete" in path else LIST
    admin_client.post(path.format(target), data)
    assert Order.objects.filter(pk=order.pk).exists()


def test_page_shows_full_telephone_numbers(office: Browser) -> None:
    order = make_order(customer=make_customer(phone="0912-345-678", phone2="02-2930-0016"))
    shown = office.get(change_url("order", order.pk))
    assert '<a href="tel:+886912345678">0912-345-678</a>, <a href="tel:+886229300016">02-2930-0016</a>' in shown


def test_page_shows_customer_messages(office: Browser) -> None:
    order = make_order("confirmed")
    shown = office.get(change_url("order", order.pk))
    assert str(order.notifications.get().get_kind_display()) in shown


def test_history_shows_user_move_reason_and_source(office: Browser) -> None:
    order = make_order()
    order.transition_to("cancelled", by=make_office(first_name="林會計"), source="rest", reason="客戶改日再訂")
    shown = office.get(change_url("order", order.pk))
    for text in ("林會計", "客戶改日再訂", "API", "badge waiting", "badge over"):
        assert text in shown, text


def test_proof_of_delivery_is_shown(office: Browser) -> None:
    order = make_order("arriving")
    order.transition_to("delivered", proof=Proof("qr_code", ["CYL789"]))
    shown = office.get(change_url("order", order.pk))
    assert "CYL789" in shown
    assert "QR code" in shown


def test_move_reported_later_is_marked(office: Browser) -> None:
    order = make_order("assigned", created_at=timezone.now() - timedelta(hours=1))
    path, mark = change_url("order", order.pk), "done offline, reported later"
    order.transition_to("delivering", at=timezone.now() - timedelta(seconds=50))
    assert mark not in office.get(path)
    order.transition_to("arriving", at=timezone.now() - timedelta(seconds=70))
    assert office.get(path).count(mark) == 1


def test_signatures_and_photos_are_shown(office: Browser) -> None:
    order = make_order("delivered")
    image = SimpleUploadedFile("s.jpg", make_image(), "image/jpeg")
    stored = store(Order.objects.all(), "signature", image, by=make_office())
    assert f'src="/api/v1/orders/{order.pk}/proof-images/{stored.pk}/"' in office.get(change_url("order", order.pk))


def test_history_is_read_only(office: Browser) -> None:
    order = make_order("confirmed")
    path = change_url("order", order.pk)
    submitted = {"history-0-reason": "other", "history-TOTAL_FORMS": 3, "history-2-to_status": "delivered"}
    office.post(path, office.form(path, "order_form") | submitted)
    assert [(row.to_status, row.reason) for row in order.history.all()] == [("pending", ""), ("confirmed", "測試")]
