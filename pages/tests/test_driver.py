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


def test_anonymous_user_is_redirected_to_the_sign_in() -> None:
    answer = Client().get(DRIVER)
    assert (answer.status_code, answer.headers["location"]) == (302, "/accounts/login/?next=/driver/")


@pytest.mark.parametrize("role", ["office", "customer", "none", "retired", "office user with a driver record"])
def test_users_without_the_drivers_page_are_redirected_home(role: str) -> None:
    makers: dict[str, Any] = {
        "office": make_office,
        "customer": lambda: make_customer(user=make_user()).user,
        "none": make_user,
        "retired": lambda: make_driver(is_active=False).user,
        "office user with a driver record": lambda: make_driver(user=make_office()).user,
    }
    answer = sign_in(makers[role]()).client.get(DRIVER)
    assert (answer.status_code, answer.headers["location"]) == (302, "/")


def test_home_redirects_drivers_to_their_page() -> None:
    answer = sign_in(make_driver().user).client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, DRIVER)


def test_page_data_has_ids_moves_and_statuses() -> None:
    driver = make_driver()
    html = sign_in(driver.user).get(DRIVER)
    found = re.search(r'<script id="page-data" type="application/json">(.*?)</script>', html)
    assert found is not None
    data = json.loads(found[1])
    assert (data["user"], data["driver"]) == (driver.user.pk, driver.pk)
    assert {move["to"]: move["label"] for move in data["moves"]["arriving"]} == {
        "delivered": "Delivered", "delivering": "Left without delivering: back on the road", "failed": "",
    }  # fmt: skip
    assert data["statuses"]["with_driver"] == ["assigned", "delivering", "arriving"]
    assert (data["statuses"]["done_by_driver"], data["slots"][-1]) == (["delivered", "failed"], "anytime")


def test_page_is_not_cached_and_has_no_inline_script_or_style() -> None:
    answer = sign_in(make_driver().user).client.get(DRIVER)
    assert "no-store" in answer.headers["Cache-Control"]
    inline = r"<style|\sstyle=|\son\w+=|<script(?![^>]*\b(?:src|type=\"application/json\"))"
    assert not re.findall(inline, answer.content.decode())


def test_worker_lists_the_pages_files_and_version() -> None:
    body = Client().get("/driver/sw.js")
    assert body.headers["Content-Type"].startswith("text/javascript")
    build = json.loads(body.content.decode().split("\n")[0].removeprefix("const BUILD = ").removesuffix(";"))
    response = sign_in(make_driver().user).client.get(DRIVER)
    assert build["version"] == response.headers["X-Page-Version"]
    loaded = re.findall(r'(?:href|src)="(/static/[^"]+\.(?:css|js))"', response.content.decode())
    assert set(loaded) <= set(build["files"])
    assert {"/static/pages/driver/queue.js", "/static/realtime/client.js", "/static/web/lifecycle.js"} <= set(
        build["files"]
    )


def test_another_worker_file_changes_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    names = page.files()
    before = page.version(names)
    assert page.version(names) == before
    monkeypatch.setattr(page, "WORKER", "web/site.css")
    assert page.version(names) != before


def test_manifest_has_the_pages_url_and_existing_icons() -> None:
    manifest = json.loads(Client().get("/driver/manifest.webmanifest").content)
    assert (manifest["start_url"], manifest["scope"], manifest["display"]) == (DRIVER, DRIVER, "standalone")
    assert {"192x192", "512x512"} == {icon["sizes"] for icon in manifest["icons"]}
    assert all(finders.find(icon["src"].removeprefix("/static/")) for icon in manifest["icons"])


@pytest.mark.parametrize("path", ["/", DRIVER, "/driver/sw.js", "/driver/manifest.webmanifest"])
def test_pages_refuse_post_requests(path: str) -> None:
    assert sign_in(make_driver().user).client.post(path).status_code == 405
