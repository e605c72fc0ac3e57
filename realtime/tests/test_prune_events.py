from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command
from django.utils import timezone, translation
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts.api.tokens import Refresh
from luckygas.testing.site import Site, manage
from orders.states import Status as OrderStatus
from orders.tests.api.client import Api
from orders.tests.factories import make_office, make_order, make_user
from realtime import auth, log
from realtime.management.commands.prune_events import age
from realtime.models import Event, LogHead, WebSocketTicket
from realtime.tests.client import open_client, token_for


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.mark.parametrize(("text", "hours"), [("1h", 1), ("12h", 12), ("7d", 168), ("9999d", 239_976)])
def test_an_age(text: str, hours: int) -> None:
    assert age(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5d", "7w", "7 d", "99999d", "٧d", "7D"])
def test_no_age(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="12h or 7d"):
        age(text)


@pytest.mark.django_db
def test_old_events_go_and_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for seq, days in enumerate((9, 8, 6, 1), start=1):
        at = timezone.now() - timedelta(days=days)
        Event.objects.create(seq=seq, type="x", channels=["system"], data={}, created_at=at)
    LogHead.objects.create(pk=log.HEAD, seq=4)
    call_command("prune_events")
    assert [event.seq for event in log.read(0, 10)] == [3, 4]
    assert {"2", "2;"} <= set(capsys.readouterr().out.split())
    call_command("prune_events", "--older-than", "24h")
    assert [event.seq for event in log.read(0, 10)] == []
    assert (log.head().seq, log.head().floor) == (4, 4)


@pytest.mark.django_db
@pytest.mark.parametrize("ahead", [timedelta(days=8), timedelta(days=31), timedelta(days=366)])
def test_nothing_goes_while_the_clock_is_ahead(ahead: timedelta) -> None:
    for seq, days in enumerate((6, 5, 1, 0), start=1):
        at = timezone.now() - timedelta(days=days)
        Event.objects.create(seq=seq, type="x", channels=["system"], data={}, created_at=at)
    LogHead.objects.create(pk=log.HEAD, seq=4)
    with time_machine.travel(timezone.now() + ahead):
        call_command("prune_events")
        Event.objects.create(seq=5, type="x", channels=["system"], data={}, created_at=timezone.now())
        LogHead.objects.update(seq=5)
        call_command("prune_events")
    assert ([event.seq for event in log.read(0, 10)], log.head().floor) == ([1, 2, 3, 4, 5], 0)


@pytest.mark.django_db
def test_tickets_that_have_ended_go_too() -> None:
    auth.new_ticket(make_user())
    WebSocketTicket.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    call_command("prune_events")
    assert not WebSocketTicket.objects.exists()


@pytest.mark.django_db
def test_tokens_that_have_ended_go_too_and_no_others() -> None:
    api, user = Api(), make_office()
    old, kept = Refresh.for_user(user), Refresh.for_user(user)
    OutstandingToken.objects.filter(jti=old["jti"]).update(expires_at=timezone.now())
    api.post("auth/logout/", {"refresh": str(kept)})
    call_command("prune_events")
    assert set(OutstandingToken.objects.values_list("jti", flat=True)) == {kept["jti"], f"session:{kept['session']}"}
    assert api.post("auth/token/refresh/", {"refresh": str(kept)}).status_code == 401


@pytest.mark.django_db
def test_nonsense_is_said_in_words() -> None:
    with pytest.raises(CommandError, match="12h or 7d"):
        call_command("prune_events", "--older-than", "soon")


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
async def test_a_client_from_before_is_told_and_a_present_one_notices_nothing(site: Site) -> None:
    make = sync_to_async
    order = await make(make_order)()
    jwt = await make(token_for)(await make(make_office)())
    async with open_client(f"{site.ws}/office?token={jwt}") as client:
        since = client.welcome["last_event_id"]
        await make(order.transition_to)(OrderStatus.CONFIRMED)
        (confirmed,) = await client.orders(1)
        await make(Event.objects.update)(created_at=timezone.now() - timedelta(hours=2))
        await make(manage)("prune_events", "--older-than", "1h")
        await make(order.transition_to)(OrderStatus.CANCELLED, reason="測試")
        assert [event["id"] > confirmed["id"] for event in await client.orders(2)] == [True, True]
    floor = (await make(log.head)()).floor
    # This server still remembers; another one, or this one after a restart, does not.
    site.kill()
    site.start()
    async with open_client(f"{site.ws}/office?token={jwt}&since={since}") as client:
        assert client.welcome["recovered"] is False
    async with open_client(f"{site.ws}/office?token={jwt}&since={floor}") as client:
        assert client.welcome["recovered"] is True
        assert len(await client.orders(2)) == 2
