from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.urls import reverse
from playwright.async_api import Page, Route

from luckygas.testing.browser import until
from luckygas.testing.site import Site
from notifications.models import MessageTemplate
from notifications.states import MessageKind
from orders.tests.admin.browser import Browser, form_errors, sign_in
from orders.tests.factories import make_office, make_staff

pytestmark = pytest.mark.django_db


LIST = reverse("admin:notifications_messagetemplate_changelist")
PREVIEW = reverse("admin:notifications_text_preview")
FORM = "messagetemplate_form"


@pytest.fixture
def editor() -> Browser:
    return sign_in(make_staff("manager"))


def page(kind: MessageKind = MessageKind.ORDER_DELIVERED) -> str:
    row, _ = MessageTemplate.objects.get_or_create(kind=kind)
    return reverse("admin:notifications_messagetemplate_change", args=[row.pk])


def test_list_creates_a_row_for_every_kind_once(editor: Browser) -> None:
    shown = editor.get(LIST)
    assert MessageTemplate.objects.count() == len(MessageKind)
    assert "您的瓦斯訂單 {order_number} 已取消。" in shown
    assert editor.get(LIST)
    assert MessageTemplate.objects.count() == len(MessageKind)


def test_text_can_be_changed_and_switched_off(editor: Browser) -> None:
    form = editor.form(page(), FORM) | {"body_zh": "{order_number} 到了"}
    form.pop("is_on")
    editor.post(page(), form)
    row = MessageTemplate.of(MessageKind.ORDER_DELIVERED)
    assert (row.body("zh-hant"), row.is_on) == ("{order_number} 到了", False)


def test_default_text_is_the_placeholder_of_an_empty_field(editor: Browser) -> None:
    assert 'placeholder="您的瓦斯訂單 {order_number} 已送達。感謝您的訂購！"' in editor.get(page())


def test_invalid_text_is_refused_with_reason(editor: Browser) -> None:
    answer = editor.post(page(), editor.form(page(), FORM) | {"body_en": "call 0912-345-678 {nobody}"})
    assert form_errors(answer) == [
        "“{nobody}” is not a placeholder. You can use: {order_number}, {scheduled_date}, {tracking_url}.",
        "“0912-345-678” looks like a telephone number. Please remove it; carriers block such SMS.",
    ]
    assert MessageTemplate.objects.get().body_en == ""


def test_default_text_can_be_restored(editor: Browser) -> None:
    row = MessageTemplate.objects.create(kind=MessageKind.ORDER_DELIVERED, body_zh="a", body_en="b", is_on=False)
    url = reverse("admin:notifications_text_default", args=[row.pk])
    assert url in editor.get(page())
    assert editor.client.get(url).status_code == 405
    editor.post(url, {})
    row.refresh_from_db()
    assert (row.body_zh, row.body_en, row.is_on) == ("", "", False)


def request_preview(browser: Browser, **data: Any) -> Any:
    return browser.client.post(PREVIEW, {"kind": "order_delivered", "language": "en"} | data)


def test_preview_counts_longest_values(editor: Browser) -> None:
    found = request_preview(editor, body="{order_number} ok").json()
    assert found == {
        "text": "【幸福氣】0000-0000 ok", "segments": 1, "points": 1, "problems": [],
        "cost": "At most 17 characters: 1 segment, 1 point",
    }  # fmt: skip
    assert request_preview(editor, body="瓦" * 130).json()["points"] == 3


def test_preview_of_empty_text_is_the_default(editor: Browser) -> None:
    assert "is delivered" in request_preview(editor, body="").json()["text"]


@pytest.mark.parametrize("wrong", [{"kind": "x"}, {"language": "fr"}, {"body": "a" * 2000}])
def test_preview_refuses_invalid_requests(editor: Browser, wrong: dict[str, str]) -> None:
    assert request_preview(editor, **wrong).status_code == 400


def test_changing_texts_needs_permission() -> None:
    clerk = sign_in(make_staff())
    row = MessageTemplate.objects.create(kind=MessageKind.ORDER_DELIVERED, body_zh="a")
    url = reverse("admin:notifications_text_default", args=[row.pk])
    assert url not in clerk.get(page())
    assert clerk.client.post(url).status_code == 403
    assert MessageTemplate.objects.get().body_zh == "a"


def test_superuser_cannot_add_or_delete_kinds() -> None:
    admin = sign_in(make_staff(is_superuser=True))
    admin.get(reverse("admin:notifications_messagetemplate_add"), status=403)
    admin.get(page().replace("change", "delete"), status=403)


# The page of a text in a browser, under a strict content security policy.


STRICT = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'"
SHOWN = "document.querySelector('[name=body_zh] + .sms-preview')"


@pytest.mark.django_db(transaction=True)
async def test_preview_follows_typing(page: Page, site: Site) -> None:
    row = await sync_to_async(MessageTemplate.objects.create)(kind=MessageKind.ORDER_DELIVERED)
    path = reverse("admin:notifications_messagetemplate_change", args=[row.pk])

    async def add_policy(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, headers=answer.headers | {"content-security-policy": STRICT})

    await page.route(f"**{path}", add_policy)
    session = Client()
    await sync_to_async(session.force_login)(await sync_to_async(make_office)(is_superuser=True))
    await page.context.add_cookies(
        [{"name": "sessionid", "value": session.cookies["sessionid"].value, "url": site.url}]
    )
    await page.goto(site.url + path)
    # Before anything is typed, the preview shows the default text.
    await until(page, f"{SHOWN}.textContent.includes('【幸福氣】您的瓦斯訂單 0000-0000 已送達')")
    await page.fill("[name=body_zh]", "瓦" * 100)
    await until(page, f"{SHOWN}.dataset.segments === '2'")
    await page.fill("[name=body_zh]", "<img src=x> 0912-345-678")
    await until(page, f"{SHOWN}.querySelector('li')?.textContent.includes('0912-345-678')")
    assert await page.evaluate(f"{SHOWN}.querySelector('img')") is None
