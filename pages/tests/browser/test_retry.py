"""What is not answered is asked again, in a real browser."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route

from luckygas.testing.browser import until
from luckygas.testing.site import Site
from luckygas.testing.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)
OPEN = """async () => {
  const [{ get }, { Unread, hurry }] = await Promise.all(
    ["api", "retry"].map((name) => import(`/static/web/${name}.js`)));
  window.hurry = hurry;
  window.got = [];
  window.unread = new Unread(async (key) => got.push((await get(`${key}/`)).value));
}"""


class Answers:
    """Plays the server of `api/v1/thing/`: `next` are what its next answers are, then it answers 200."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.next: list[dict[str, Any] | None] = []
        self.asked = 0
        self.held = asyncio.Event()
        self.held.set()

    async def serve(self, route: Route) -> None:
        self.asked += 1
        value = self.asked
        answer = self.next.pop(0) if self.next else {"json": {"value": value}}
        await self.held.wait()
        await (route.abort() if answer is None else route.fulfill(**answer))

    async def got(self, *values: int) -> None:
        """Waits until these are what was read."""
        await until(self.page, "(values) => got.join() === values.join()", list(values))

    async def tries(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.asked < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@pytest_asyncio.fixture(loop_scope="session")
async def answers(page: Page, site: Site) -> Answers:
    played = Answers(page)
    await page.goto(f"{site.url}/health/live")
    await page.route("**/api/v1/thing/", played.serve)
    await page.evaluate(OPEN)
    return played


@pytest.mark.parametrize("answer", [None, {"status": 503}, {"status": 502, "body": "<h1>Bad Gateway</h1>"},
                                    {"status": 401, "json": {"errors": []}}, {"body": "not JSON"},
                                    {"status": 500, "json": None}, {"json": None}])  # fmt: skip
async def test_what_is_not_answered_is_asked_again(answers: Answers, answer: dict[str, Any] | None) -> None:
    answers.next = [answer, answer]
    await answers.page.evaluate("unread.add('thing')")
    await answers.got(3)
    assert not await answers.page.evaluate("unread.has('thing')")


async def test_server_is_left_alone_as_long_as_it_wants_also_when_the_page_is_in_a_hurry(answers: Answers) -> None:
    answers.next = [{"status": 503, "headers": {"Retry-After": "1"}, "json": {"errors": []}}]
    started = asyncio.get_running_loop().time()
    await answers.page.evaluate("unread.add('thing')")
    await answers.tries(1)
    while asyncio.get_running_loop().time() - started < 0.8:
        await answers.page.evaluate("hurry()")
        assert answers.asked == 1
        await asyncio.sleep(0.05)
    await answers.page.evaluate("hurry()")
    await answers.got(2)
    assert asyncio.get_running_loop().time() - started >= 1


@pytest.mark.parametrize("wake", ["hurry()", "window.dispatchEvent(new Event('online'))",
                                  "document.dispatchEvent(new Event('visibilitychange'))"])  # fmt: skip
async def test_page_that_is_seen_or_has_a_line_again_asks_at_once(answers: Answers, wake: str) -> None:
    await answers.page.evaluate("Math.random = () => 0.999")  # the longest waits: 0.5, 1, 2, 4, 8 s
    answers.next = [None] * 5
    await answers.page.evaluate("unread.add('thing')")
    for tries in range(2, 7):
        await until(answers.page, f"({wake}, true)")
        await asyncio.sleep(0.05)
        await answers.page.evaluate(wake)
        await answers.tries(tries)
    await answers.got(6)


async def test_what_changes_while_it_is_read_is_read_once_more(answers: Answers) -> None:
    answers.held.clear()
    await answers.page.evaluate("unread.add('thing')")
    await answers.tries(1)
    await answers.page.evaluate("for (let i = 0; i < 20; i += 1) unread.add('thing')")
    answers.held.set()
    await answers.got(1, 2)
    assert not await answers.page.evaluate("unread.has('thing')")


async def test_changes_while_nothing_is_answered_make_no_more_requests(answers: Answers) -> None:
    answers.next = [None]
    await answers.page.evaluate("Math.random = () => 0.999; unread.add('thing')")
    await answers.tries(1)
    await answers.page.evaluate("for (let i = 0; i < 20; i += 1) unread.add('thing')")
    await answers.got(2)
    assert answers.asked == 2
