"""Every text for users has a translation to Traditional Chinese, and the compiled catalogue is current.

Also: every input of text drops invisible characters.
"""

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
from orders.tests.admin.browser import admin_url, sign_in
from orders.tests.api.client import V1, Api, codes, make_api
from orders.tests.factories import PASSWORD, make_customer, make_office, make_order, make_user
from realtime import commands
from realtime.auth import query_parameters

pytestmark = pytest.mark.django_db


ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "locale/zh_Hant/LC_MESSAGES"
PLAIN = ("_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy")
# The first argument is a context, the second the text.
KEYWORDS = dict.fromkeys(PLAIN) | dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2))
PLACEHOLDER = re.compile(r"%\(\w+\)[ds]|%[ds]|\{\w*\}")


# The catalogues of pages and of scripts.
DOMAINS = ("django", "djangojs")
each_domain = pytest.mark.parametrize("domain", DOMAINS)


def entries(domain: str) -> list[polib.POEntry]:
    return list(polib.pofile(str(CATALOGUE / f"{domain}.po")))


def source_files(domain: str) -> Iterator[tuple[Path, str]]:
    """Yields source files with their text. Templates are converted as Django's makemessages does it."""
    for app in APPS:
        for path in (ROOT / app).rglob("*.js" if domain == "djangojs" else "*.py"):
            if "tests" not in path.relative_to(ROOT).parts:
                yield path, path.read_text()
    if domain == "djangojs":
        return
    for path in (*(ROOT / "templates").rglob("*"), *(ROOT / "luckygas").rglob("templates/*")):
        if path.suffix in {".html", ".txt"}:
            # Removes the indentation, because it makes converted templates invalid Python.
            yield path, "\n".join(map(str.strip, templatize(path.read_text()).splitlines()))


def source_texts(domain: str) -> Iterator[tuple[Path, str]]:
    language = "javascript" if domain == "djangojs" else "python"
    for path, text in source_files(domain):
        # The singular form identifies an entry.
        for _line, found, *_rest in extract(language, io.BytesIO(text.encode()), keywords=KEYWORDS):
            yield path, found[0] if isinstance(found, tuple) else found


@each_domain
def test_everything_is_translated(domain: str) -> None:
    assert len(entries(domain)) > 5
    assert [entry.msgid for entry in entries(domain) if not entry.translated() or entry.obsolete] == []


@each_domain
def test_catalogue_has_every_text(domain: str) -> None:
    known, found = {entry.msgid for entry in entries(domain)}, list(source_texts(domain))
    assert len(found) > 5
    assert {str(path): word for path, word in found if word and word not in known} == {}


def test_gettext_functions_have_names_that_the_extraction_knows() -> None:
    alias = re.compile(r"gettext\w* as (?!_$)\w+", re.MULTILINE)
    assert [str(path) for path, text in source_files("django") if alias.search(text)] == []


@each_domain
def test_catalogue_has_no_unused_entry(domain: str) -> None:
    used = {word for _, word in source_texts(domain)}
    assert [entry.msgid for entry in entries(domain) if entry.msgid not in used] == []


@each_domain
def test_placeholders_survive_translation(domain: str) -> None:
    for entry in entries(domain):
        for translated in [entry.msgstr, *entry.msgstr_plural.values()]:
            if translated:
                assert sorted(PLACEHOLDER.findall(translated)) == sorted(PLACEHOLDER.findall(entry.msgid)), entry.msgid


@each_domain
def test_compiled_catalogue_is_current(domain: str) -> None:
    compiled = {e.msgid: (e.msgstr, e.msgstr_plural) for e in polib.mofile(str(CATALOGUE / f"{domain}.mo"))}
    assert compiled == {e.msgid: (e.msgstr, e.msgstr_plural) for e in entries(domain)}


# These modules list texts of Django and its packages. Only the translations are ours.
FOREIGN = ("web/django_translations.py", "web/api/drf_translations.py")
SENTENCE_WORDS = 25


def our_texts(domain: str) -> Iterator[str]:
    """Yields the English text, singular and plural, of every entry that our code and templates use."""
    ours = {word for path, word in source_texts(domain) if not str(path).endswith(FOREIGN)}
    for entry in entries(domain):
        if entry.msgid in ours:
            yield from filter(None, (entry.msgid, entry.msgid_plural))


@each_domain
def test_a_sentence_has_at_most_25_words(domain: str) -> None:
    sentences = [sentence for text in our_texts(domain) for sentence in re.split(r"(?<=[.!?])\s+", text)]
    assert len(sentences) > 50
    assert [sentence for sentence in sentences if len(sentence.split()) > SENTENCE_WORDS] == []


# Word that translations must not contain → the word to use.
REPLACEMENTS = {
    "你": "您", "供應商": "簡訊業者", "簡訊商": "簡訊業者", "回執": "狀態回報", "通道": "閘道", "產品": "商品",
    "客人": "客戶", "送貨": "配送", "派送": "配送", "日誌": "紀錄檔", "記錄檔": "紀錄檔", "使用者名稱": "帳號",
    "電子信箱": "電子郵件",
}  # fmt: skip


@each_domain
def test_chinese_uses_one_word_for_each_thing(domain: str) -> None:
    translations = ["".join([entry.msgstr, *entry.msgstr_plural.values()]) for entry in entries(domain)]
    assert {wrong: text for text in translations for wrong in REPLACEMENTS if wrong in text} == {}


def test_title_of_an_admin_list_is_chinese() -> None:
    client = Client(headers={"accept-language": "zh-hant"})
    client.force_login(make_office(is_superuser=True))
    assert "<h1>訂單</h1>" in client.get(reverse("admin:orders_order_changelist")).content.decode()


def test_text_is_in_the_readers_language() -> None:
    shown = {}
    for language in ("zh-hant", "en"):
        with override(language):
            shown[language] = str(VersionConflict(7))
    assert "目前版本為 7" in shown["zh-hant"]
    assert "version is now 7" in shown["en"]


# Every input of text drops invisible characters.


# Characters that text copied from a chat often has: a zero-width space, a direction mark, a variation selector.
MARK = "\u200b\u200e\ufe0f"
INVISIBLE = [MARK, "\u3164", "\u2800\u2800", "\ufeff", "\u00ad", "\U000e0100", "\x07"]


def with_marks(text: str) -> str:
    """Puts the invisible characters of MARK before every character of the text and at its end."""
    return MARK + MARK.join(text) + MARK


def add_in_admin(model: str, form_data: dict[str, Any]) -> Any:
    browser = sign_in(make_office(is_superuser=True))
    add = admin_url(model, "add")
    return browser.post(add, browser.form(add, f"{model}_form") | form_data)


def test_api_drops_invisible_characters() -> None:
    fields = {
        "name": "王小明",
        "phone": "0912-345-678",
        "address": "台北市大安區信義路四段1號",
        "email": "a@example.com",
    }
    answer = make_api("office").post("customers/", {name: with_marks(text) for name, text in fields.items()})
    customer = Customer.objects.get()
    assert answer.status_code == 201
    assert (customer.name, customer.phone, customer.address, customer.email) == (
        "王小明", "+886912345678", "台北市大安區信義路四段1號", "a@example.com",
    )  # fmt: skip


def test_api_drops_invisible_characters_in_dates_and_choices() -> None:
    order = make_order()
    tomorrow = timezone.localdate() + timedelta(days=1)
    fields = {
        "scheduled_date": with_marks(f"{tomorrow}"),
        "time_slot": with_marks("evening"),
        "notes": with_marks("請按鈴"),
    }
    assert make_api("office").patch(f"orders/{order.pk}/", fields).status_code == 200
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
    answer = make_api("office").get(path, **{name: with_marks(text) for name, text in query.items()})
    assert (answer.status_code, answer.json()["count"]) == (200, 1)


def test_multipart_form_accepts_a_choice_with_invisible_characters() -> None:
    api, order = make_api("office"), make_order()
    image = SimpleUploadedFile("x.png", b"x", "image/png")
    answer = api.client.post(f"{V1}orders/{order.pk}/proof-images/", {"kind": with_marks("photo"), "image": image})
    assert ("kind" in {error["attr"] for error in answer.json()["errors"]}) is False


def test_admin_drops_invisible_characters() -> None:
    add_in_admin(
        "customer",
        {"name": with_marks("王小明"), "phone": with_marks("0912345678"), "address": with_marks("信義路1號")},
    )
    assert Customer.objects.values_list("name", "phone", "address").get() == ("王小明", "+886912345678", "信義路1號")


def test_admin_search_drops_invisible_characters() -> None:
    make_customer(name="王小明")
    shown = sign_in(make_office(is_superuser=True)).get(
        reverse("admin:customers_customer_changelist"), q=with_marks("王小明")
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
    add_in_admin("customer", {"name": name, "address": "信義路1號"})
    add_in_admin("driver", {"name": name})
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
    sheet = "\n".join(",".join(map(with_marks, cells)) for cells in rows) + f"\n{MARK},{MARK},,,,\n"
    report = import_orders(sheet.encode("utf-8-sig"))
    assert (report.rows, len(report.created), report.problems, report.notes) == (1, 1, [], [])
    assert (Customer.objects.count(), Order.objects.get().delivery_address) == (1, "信義路1號")


def test_sign_in_drops_invisible_characters(client: Client) -> None:
    make_office(username="wang@example.com")
    form_data = {"username": with_marks("wang@example.com"), "password": PASSWORD}
    assert client.post(reverse("login"), form_data).status_code == 302
    assert Api().post("auth/token/", form_data).status_code == 200


def test_password_reset_drops_invisible_characters(client: Client) -> None:
    make_user(email="wang@example.com")
    client.post(reverse("password_reset"), {"email": with_marks("wang@example.com")})
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
    assert query_parameters({"query_string": b"channels=orders%E2%80%8B"}) == {"channels": "orders"}


def test_command_accepts_options_with_invisible_characters(capsys: pytest.CaptureFixture[str]) -> None:
    order = make_order()
    call_command(
        "resend_sms", "--failed", f"--order={with_marks(str(order))}", f"--since={with_marks('2h')}", "--dry-run"
    )
    call_command("prune_events", f"--older-than={with_marks('12h')}")


def test_setting_drops_invisible_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_SENDER", with_marks("幸福氣"))
    assert Environment().str("SMS_SENDER") == "幸福氣"
