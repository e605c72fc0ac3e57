from __future__ import annotations

import pytest
from django.test import Client

from orders.tests.admin.browser import Forms
from orders.tests.factories import make_customer

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/admin/orders/customer/?q=1&area=%E5%A4%A7", "/admin/customers/customer/?q=1&area=%E5%A4%A7"),
        ("/admin/orders/product/3/change/", "/admin/catalogue/product/3/change/"),
        ("/admin/orders/driver/add/", "/admin/dispatch/driver/add/"),
        ("/admin/health/systemmetric/1/change/", "/admin/web/systemmetric/1/change/"),
    ],
)
def test_an_old_address_of_the_admin_leads_to_the_new_one(client: Client, old: str, new: str) -> None:
    answer = client.get(old)
    assert (answer.status_code, answer.headers["location"]) == (308, new)


def test_a_form_opened_at_an_old_address_is_saved(admin_client: Client) -> None:
    customer = make_customer()
    page = f"/admin/orders/customer/{customer.pk}/change/"
    form = Forms(admin_client.get(page, follow=True).content.decode()).forms["customer_form"]
    admin_client.post(page, form | {"name": "林小姐"}, follow=True)
    customer.refresh_from_db()
    assert customer.name == "林小姐"
