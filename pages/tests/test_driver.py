from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from orders.tests.admin.browser import sign_in
from orders.tests.factories import make_customer, make_driver, make_office, make_user
from pages import driver as page

pytestmark = pytest.mark.django_db
DRIVER = "/driver/"


def test_a_stranger_is_sent_to_the_sign_in() -> None:
    answer = Client().get(DRIVER)
    assert (answer.status_code, answer.headers["location"]) == (302, "/accounts/login/?next=/driver/")


@pytest.mark.parametrize("role", ["office", "customer", "none", "retired", "office that drives"])
def test_others_are_sent_home(role: str) -> None:
    makers: dict[str, Any] = {
        "office": make_office,
        "customer": lambda: make_customer(user=make_user()).user,
        "none": make_user,
        "retired": lambda: make_driver(is_active=False).user,
        "office that drives": lambda: make_driver(user=make_office()).user,
    }
    answer = sign_in(makers[role]()).client.get(DRIVER)
    assert (answer.status_code, answer.headers["location"]) == (302, "/")


def test_a_driver_is_sent_there_from_home() -> None:
    answer = sign_in(make_driver().user).client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, DRIVER)


def test_the_page_says_whose_it_is_and_what_may_be_done() -> None:
    driver = make_driver()
    shown = sign_in(driver.user).get(DRIVER)
    found = re.search(r'<script id="page-data" type="application/json">(.*?)</script>', shown)
    assert found is not None
    told = json.loads(found[1])
    assert (told["user"], told["driver"]) == (driver.user.pk, driver.pk)
    assert {move["to"]: move["word"] for move in told["moves"]["arriving"]} == {
        "delivered": "Delivered", "delivering": "Left without delivering: on the road again", "failed": "",
    }  # fmt: skip
    assert told["statuses"]["with_driver"] == ["assigned", "delivering", "arriving"]
    assert (told["statuses"]["done_by_driver"], told["slots"][-1]) == (["delivered", "failed"], "anytime")


def test_the_page_is_kept_by_no_cache_and_has_nothing_inline() -> None:
    answer = sign_in(make_driver().user).client.get(DRIVER)
    assert "no-store" in answer.headers["Cache-Control"]
    inline = r"<style|\sstyle=|\son\w+=|<script(?![^>]*\b(?:src|type=\"application/json\"))"
    assert not re.findall(inline, answer.content.decode())


def test_the_worker_is_told_every_file_and_the_version_of_the_page() -> None:
    body = Client().get("/driver/sw.js")
    assert body.headers["Content-Type"].startswith("text/javascript")
    told = json.loads(body.content.decode().split("\n")[0].removeprefix("const BUILD = ").removesuffix(";"))
    shown = sign_in(make_driver().user).client.get(DRIVER)
    assert told["version"] == shown.headers["X-Page-Version"]
    loaded = re.findall(r'(?:href|src)="(/static/[^"]+\.(?:css|js))"', shown.content.decode())
    assert set(loaded) <= set(told["files"])
    assert {"/static/pages/driver/queue.js", "/static/realtime/client.js", "/static/web/lifecycle.js"} <= set(
        told["files"]
    )


def test_a_changed_file_is_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    names = page.files()
    before = page.version(names)
    assert page.version(names) == before
    monkeypatch.setattr(page, "WORKER", "web/site.css")
    assert page.version(names) != before


def test_the_manifest_leads_to_the_page_and_its_icons_are_there() -> None:
    told = json.loads(Client().get("/driver/manifest.webmanifest").content)
    assert (told["start_url"], told["scope"], told["display"]) == (DRIVER, DRIVER, "standalone")
    assert {"192x192", "512x512"} == {icon["sizes"] for icon in told["icons"]}
    assert all(finders.find(icon["src"].removeprefix("/static/")) for icon in told["icons"])


@pytest.mark.parametrize("path", ["/", DRIVER, "/driver/sw.js", "/driver/manifest.webmanifest"])
def test_nothing_is_posted_there(path: str) -> None:
    assert sign_in(make_driver().user).client.post(path).status_code == 405
