"""Every text for users has a translation to Traditional Chinese, and the compiled catalogue is current."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polib
import pytest
from babel.messages.extract import extract
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override
from django.utils.translation.template import templatize

from customers.models import Customer
from dispatch.models import Driver
from importing.importer import import_orders
from importing.tests.sheets import make_20kg
from luckygas.environment import Environment
from luckygas.tests.test_imports import APPS
from orders.models import Order
from orders.models.order import VersionConflict
from orders.tests.admin.browser import page, sign_in
from orders.tests.api.client import V1, Api, codes, make_api
from orders.tests.factories import PASSWORD, make_customer, make_office, make_order, make_user
from realtime import commands
from realtime.auth import query

pytestmark = pytest.mark.django_db


ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "locale/zh_Hant/LC_MESSAGES"
PLAIN = ("_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy")
# The first argument is a context, the second the text.
KEYWORDS = dict.fromkeys(PLAIN) | dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2))
PLACEHOLDER = re.compile(r"%\(\w+\)[ds]|%[ds]|\{\w*\}")


# The catalogues of pages and of scripts.
DOMAINS = ("django", "djangojs")
both = pytest.mark.parametrize("domain", DOMAINS)


def entries(domain: str) -> list[polib.POEntry]:
    return list(polib.pofile(str(CATALOGUE / f"{domain}.po")))


def texts(domain: str) -> Iterator[tuple[Path, str]]:
    """Yields Python code unchanged, and templates as Django's makemessages converts them."""
    for app in APPS:
        for path in (ROOT / app).rglob("*.js" if domain == "djangojs" else "*.py"):
            if "tests" not in path.relative_to(ROOT).parts:
                yield path, path.read_text()
    if domain == "djangojs":
        return
    for path in (*(ROOT / "templates").rglob("*"), *(ROOT / "luckygas").rglob("templates/*")):
        if path.suffix in {".html", ".txt"}:
            # Converted templates are not valid Python: their indentation is meaningless.
            yield path, "\n".join(map(str.strip, templatize(path.read_text()).splitlines()))


def words(domain: str) -> Iterator[tuple[Path, str]]:
    language = "javascript" if domain == "djangojs" else "python"
    for path, text in texts(domain):
        # The singular identifies the entry.
        for _line, found, *_rest in extract(language, io.BytesIO(text.encode()), keywords=KEYWORDS):
            yield path, found[0] if isinstance(found, tuple) else found


@both
def test_everything_is_translated(domain: str) -> None:
    assert len(entries(domain)) > 5
    assert [entry.msgid for entry in entries(domain) if not entry.translated() or entry.obsolete] == []


@both
def test_catalogue_has_every_text(domain: str) -> None:
    known, found = {entry.msgid for entry in entries(domain)}, list(words(domain))
    assert len(found) > 5
    assert {str(path): word for path, word in found if word and word not in known} == {}


def test_gettext_is_imported_under_known_names() -> None:
    alias = re.compile(r"gettext\w* as (?!_$)\w+", re.MULTILINE)
    assert [str(path) for path, text in texts("django") if alias.search(text)] == []


@both
def test_catalogue_has_no_unused_entry(domain: str) -> None:
    said = {word for _, word in words(domain)}
    assert [entry.msgid for entry in entries(domain) if entry.msgid not in said] == []


@both
def test_placeholders_survive_translation(domain: str) -> None:
    for entry in entries(domain):
        for translated in [entry.msgstr, *entry.msgstr_plural.values()]:
            if translated:
                assert sorted(PLACEHOLDER.findall(translated)) == sorted(PLACEHOLDER.findall(entry.msgid)), entry.msgid


@both
def test_compiled_catalogue_is_current(domain: str) -> None:
    compiled = {e.msgid: (e.msgstr, e.msgstr_plural) for e in polib.mofile(str(CATALOGUE / f"{domain}.mo"))}
    assert compiled == {e.msgid: (e.msgstr, e.msgstr_plural) for e in entries(domain)}


# Django's own texts keep their English; only their Chinese is ours.
FOREIGN = ("web/django_translations.py", "web/api/drf_translations.py")
SENTENCE_WORDS = 25


def our_texts(domain: str) -> Iterator[str]:
    """English of every error, label and remark that our code and templates say, singular and plural."""
    said = {word for path, word in words(domain) if not str(path).endswith(FOREIGN)}
    for entry in entries(domain):
        if entry.msgid in said:
            yield from filter(None, (entry.msgid, entry.msgid_plural))


@both
def test_a_sentence_has_at_most_25_words(domain: str) -> None:
    sentences = [sentence for text in our_texts(domain) for sentence in re.split(r"(?<=[.!?])\s+", text)]
    assert len(sentences) > 50
    assert [sentence for sentence in sentences if len(sentence.split()) > SENTENCE_WORDS] == []


# One thing has one word in Chinese: the left ones are never written, the right ones are.
ONE_WORD = {
    "你": "您", "供應商": "簡訊業者", "簡訊商": "簡訊業者", "回執": "狀態回報", "通道": "閘道", "產品": "商品",
    "客人": "客戶", "送貨": "配送", "派送": "配送", "日誌": "紀錄檔", "記錄檔": "紀錄檔", "使用者名稱": "帳號",
    "電子信箱": "電子郵件",
}  # fmt: skip


@both
def test_one_thing_has_one_word_in_chinese(domain: str) -> None:
    texts = ["".join([entry.msgstr, *entry.msgstr_plural.values()]) for entry in entries(domain)]
    assert {wrong: text for text in texts for wrong in ONE_WORD if wrong in text} == {}


def test_the_admin_titles_a_list_in_chinese() -> None:
    client = Client(headers={"accept-language": "zh-hant"})
    client.force_login(make_office(is_superuser=True))
    assert "<h1>訂單</h1>" in client.get(reverse("admin:orders_order_changelist")).content.decode()


def test_texts_come_in_the_readers_language() -> None:
    said = {}
    for language in ("zh-hant", "en"):
        with override(language):
            said[language] = str(VersionConflict(7))
    assert "目前版本為 7" in said["zh-hant"]
    assert "version is now 7" in said["en"]


# Text with invisible characters, through every input.


# Typical for text copied from a chat: a zero-width space, a direction mark, a variation selector.
MARK = "\u200b\u200e\ufe0f"
INVISIBLE = [MARK, "\u3164", "\u2800\u2800", "\ufeff", "\u00ad", "\U000e0100", "\x07"]


def marked(text: str) -> str:
    """Puts an invisible character before every letter and after the last."""
    return MARK + MARK.join(text) + MARK


def made_in_admin(model: str, said: dict[str, Any]) -> Any:
    browser = sign_in(make_office(is_superuser=True))
    add = page(model, "add")
    return browser.post(add, browser.form(add, f"{model}_form") | said)


def test_api_drops_invisible_characters() -> None:
    said = {"name": "王小明", "phone": "0912-345-678", "address": "台北市大安區信義路四段1號", "email": "a@example.com"}
    answer = make_api("office").post("customers/", {name: marked(text) for name, text in said.items()})
    customer = Customer.objects.get()
    assert answer.status_code == 201
    assert (customer.name, customer.phone, customer.address, customer.email) == (
        "王小明", "+886912345678", "台北市大安區信義路四段1號", "a@example.com",
    )  # fmt: skip


def test_api_drops_invisible_characters_in_dates_and_choices() -> None:
    order = make_order()
    tomorrow = timezone.localdate() + timedelta(days=1)
    said = {"scheduled_date": marked(f"{tomorrow}"), "time_slot": marked("evening"), "notes": marked("請按鈴")}
    assert make_api("office").patch(f"orders/{order.pk}/", said).status_code == 200
    order.refresh_from_db()
    assert (order.scheduled_date, order.time_slot, order.notes) == (tomorrow, "evening", "請按鈴")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("customers/", {"q": "王小明"}), ("customers/", {"q": "0912-345"}), ("customers/", {"area": "大安區"}),
        ("orders/", {"q": "王小明"}), ("orders/", {"scheduled_date": "2099-11-23", "status": "pending"}),
    ],
)  # fmt: skip
def test_api_search_drops_invisible_characters(path: str, query: dict[str, str]) -> None:
    make_order(customer=make_customer(name="王小明", phone="0912-345-678"))
    answer = make_api("office").get(path, **{name: marked(text) for name, text in query.items()})
    assert (answer.status_code, answer.json()["count"]) == (200, 1)


def test_multipart_form_drops_invisible_characters() -> None:
    api, order = make_api("office"), make_order()
    nothing = SimpleUploadedFile("x.png", b"x", "image/png")
    answer = api.client.post(f"{V1}orders/{order.pk}/proof-images/", {"kind": marked("photo"), "image": nothing})
    assert ("kind" in {error["attr"] for error in answer.json()["errors"]}) is False


def test_admin_drops_invisible_characters() -> None:
    made_in_admin("customer", {"name": marked("王小明"), "phone": marked("0912345678"), "address": marked("信義路1號")})
    assert Customer.objects.values_list("name", "phone", "address").get() == ("王小明", "+886912345678", "信義路1號")


def test_admin_search_drops_invisible_characters() -> None:
    make_customer(name="王小明")
    shown = sign_in(make_office(is_superuser=True)).get(
        reverse("admin:customers_customer_changelist"), q=marked("王小明")
    )
    assert "1 customer" in shown


@pytest.mark.parametrize("name", INVISIBLE)
def test_api_refuses_invisible_name(name: str) -> None:
    api = make_api("office")
    wrong = {"name": name, "address": "台北市大安區信義路四段1號"}
    assert codes(api.post("customers/", wrong)) == [("blank", "name")]
    assert codes(api.patch(f"customers/{make_customer().pk}/", {"name": name})) == [("blank", "name")]
    new = {"items": [{"product": make_20kg().pk, "quantity": 1}], "scheduled_date": "2099-01-01", "new_customer": wrong}
    assert codes(api.post("orders/", new)) == [("blank", "new_customer.name")]
    assert codes(api.post("routes/", {"name": name, "date": str(timezone.localdate())})) == [("blank", "name")]
    assert codes(api.post("drivers/", {"name": name, "user": make_user().pk})) == [("blank", "name")]


@pytest.mark.parametrize("name", INVISIBLE)
def test_admin_refuses_invisible_name(name: str) -> None:
    made_in_admin("customer", {"name": name, "address": "信義路1號"})
    made_in_admin("driver", {"name": name})
    assert (Customer.objects.count(), Driver.objects.count()) == (0, 0)


@pytest.mark.parametrize("name", INVISIBLE[:-1])
def test_import_refuses_invisible_name(name: str) -> None:
    make_20kg()
    sheet = f"客戶,電話,地址,商品,數量,配送日期\n{name},0912345678,信義路1號,20公斤,1,2099-11-23\n"
    report = import_orders(sheet.encode())
    assert (len(report.problems), Customer.objects.count()) == (1, 0)


def test_import_drops_invisible_characters() -> None:
    make_20kg()
    make_customer(name="王小明", phone="0912-345-678")
    today = timezone.localdate().isoformat()
    rows = [
        ["客戶", "電話", "地址", "商品", "數量", "配送日期"],
        ["王小明", "0912345678", "信義路1號", "20公斤", "2", today],
    ]
    sheet = "\n".join(",".join(map(marked, cells)) for cells in rows) + f"\n{MARK},{MARK},,,,\n"
    report = import_orders(sheet.encode("utf-8-sig"))
    assert (report.rows, len(report.created), report.problems, report.notes) == (1, 1, [], [])
    assert (Customer.objects.count(), Order.objects.get().delivery_address) == (1, "信義路1號")


def test_sign_in_drops_invisible_characters(client: Client) -> None:
    make_office(username="wang@example.com")
    said = {"username": marked("wang@example.com"), "password": PASSWORD}
    assert client.post(reverse("login"), said).status_code == 302
    assert Api().post("auth/token/", said).status_code == 200


def test_password_reset_drops_invisible_characters(client: Client) -> None:
    make_user(email="wang@example.com")
    client.post(reverse("password_reset"), {"email": marked("wang@example.com")})
    assert [message.to for message in mail.outbox] == [["wang@example.com"]]


def test_link_with_invisible_characters_opens(client: Client) -> None:
    order = make_order()
    assert client.get(reverse("track", args=[f"{order.tracking_token}{MARK}"])).status_code == 200


def test_too_many_parameters_fail_only_where_they_are_read(client: Client) -> None:
    many = "&".join(f"a{number}=%E2%80%8B" for number in range(1200))
    assert client.get(f"/health/live?{many}").status_code == 200
    assert make_api("office").client.get(f"{V1}orders/?{many}").status_code == 400


def test_socket_drops_invisible_characters() -> None:
    assert commands.parse('{"type": "order\\u200b_update", "details": {"notes": "\ufeff急"}}') == {
        "type": "order_update", "details": {"notes": "急"},
    }  # fmt: skip
    assert query({"query_string": b"channels=orders%E2%80%8B"}) == {"channels": "orders"}


def test_command_drops_invisible_characters(capsys: pytest.CaptureFixture[str]) -> None:
    order = make_order()
    call_command("resend_sms", "--failed", f"--order={marked(str(order))}", f"--since={marked('2h')}", "--dry-run")
    call_command("prune_events", f"--older-than={marked('12h')}")


def test_setting_drops_invisible_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_SENDER", marked("幸福氣"))
    assert Environment().str("SMS_SENDER") == "幸福氣"
