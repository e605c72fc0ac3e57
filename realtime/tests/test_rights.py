"""The hub in this process revokes rights while sockets are open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from asgiref.sync import sync_to_async as make
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts.models import StaffRole
from accounts.roles import Role
from customers import accounts
from customers.models import Customer
from dispatch.models import Driver
from luckygas.testing.waiting import wait_for_async
from orders.tests.factories import make_customer, make_driver, make_office, make_user
from realtime import auth, log, rights
from realtime import hub as module
from realtime.channels import Identity
from realtime.connection import Batch
from realtime.hub import Hub
from realtime.models import Outbox
from realtime.tests.client import token_for
from realtime.tests.test_hub import Reader, change, join, missed, until
from web.refusals import Refusal

pytestmark = pytest.mark.django_db(transaction=True)


def deactivate(row: Any) -> None:
    row.is_active = False
    row.save()


def change_password(user: User) -> None:
    user.set_password("another")
    user.save(update_fields=["password"])


def lose_staff(user: User) -> None:
    user.is_staff = False
    user.save()


def delete_user(user: User) -> None:
    user.delete()


def give_away(driver: Driver) -> None:
    driver.user = make_user()
    driver.save()


def close_account(customer: Customer) -> None:
    accounts.close_account(customer)


def become_driver(user: User) -> None:
    make_driver(user=user)


def become_customer(user: User) -> None:
    make_customer(user=user)


def make_customer_with_account() -> Customer:
    return make_customer(user=make_user())


def become_owner(user: User) -> None:
    StaffRole.give(user, Role.OWNER)


def become_clerk(user: User) -> None:
    """Removes the role. Staff without a `StaffRole` row are clerks."""
    StaffRole.objects.get(user=user).delete()


def become_superuser(user: User) -> None:
    user.is_superuser = True
    user.save(update_fields=["is_superuser"])


REVOKING_CHANGES: list[tuple[Callable[[], Any], Callable[[Any], None]]] = [
    (make_office, deactivate), (make_office, change_password), (make_office, lose_staff), (make_office, delete_user),
    (make_office, become_owner), (make_office, become_clerk), (make_office, become_superuser),
    (make_driver, deactivate), (make_driver, give_away), (make_user, become_driver),
    (make_customer_with_account, deactivate), (make_customer_with_account, close_account), (make_user, become_customer),
]  # fmt: skip


async def join_with_token(user: User, hub: Hub) -> Reader:
    """Joins a reader with the identity of the user's token."""
    return join(hub, Reader("system", identity=auth.identity_of_token(await make(token_for)(user))))


@pytest.mark.parametrize(("make_row", "revoke"), REVOKING_CHANGES)
async def test_account_change_closes_only_its_sockets(
    hub: Hub, make_row: Callable[[], Any], revoke: Callable[[Any], None]
) -> None:
    row = await make(make_row)()
    user = row if isinstance(row, User) else row.user
    readers, other = (
        [await join_with_token(user, hub) for _ in range(2)],
        await join_with_token(await make(make_office)(), hub),
    )
    await make(revoke)(row)
    async with asyncio.timeout(module.TIMER_SECONDS + 2):
        assert {await reader.closing for reader in readers} == {4401}
    assert not other.closing.done()


def harmless_changes() -> list[Callable[[Any], None]]:
    def sign_in(user: User) -> None:
        Client().force_login(user)

    def rename(user: User) -> None:
        user.first_name = "新"
        user.save()

    def new_plate(user: User) -> None:
        user.driver.vehicle_plate = "ABC-123"
        user.driver.save()

    return [sign_in, rename, new_plate]


@pytest.mark.parametrize("harmless_change", harmless_changes())
async def test_change_without_effect_on_rights_closes_nothing(hub: Hub, harmless_change: Callable[[Any], None]) -> None:
    driver = await make(make_driver)()
    reader, other = await join_with_token(driver.user, hub), join(hub, Reader("customers"))
    await make(harmless_change)(driver.user)
    await change(7)
    await wait_for_async(lambda: other.frames)
    assert not reader.closing.done()


def test_sign_in_writes_no_revocation() -> None:
    Client().force_login(make_office())
    assert not Outbox.objects.exists()


class ClosingReader(Reader):
    """Like a real connection, records nothing after `close`."""

    def deliver(self, batch: Batch) -> None:
        if not self.closing.done():
            super().deliver(batch)


async def test_events_before_a_revocation_are_written_and_none_after(hub: Hub) -> None:
    user = await make(make_office)()
    reader = join(hub, ClosingReader("customers", identity=await make(Identity.of)(user)))

    @transaction.atomic
    def three_in_one_round() -> None:
        make_customer(name="前")
        lose_staff(user)
        make_customer(name="後")

    await make(three_in_one_round)()
    await until(hub, 3)
    assert reader.closing.result() == 4401
    assert [frame["data"]["name"] for frame in reader.frames] == ["前"]


async def test_token_older_than_a_revocation_is_refused(hub: Hub) -> None:
    user = await make(make_office)()
    older = auth.identity_of_token(await make(token_for)(user))
    await make(lose_staff)(user)
    await until(hub, 1)
    newer = auth.identity_of_token(await make(token_for)(user))
    with pytest.raises(Refusal) as caught:
        hub.readers.revocations.check(older)
    assert (caught.value.code, caught.value.status) == ("rights_ended", 4401)
    hub.readers.revocations.check(newer)
    # A socket that joins after the revocation is closed, and one that resumes gets no events.
    assert join(hub, Reader("orders", identity=older)).closing.result() == 4401
    await change(7)
    await until(hub, 2)
    assert missed(hub, 0, "customers", identity=older) == []
    assert missed(hub, 0, "customers", identity=newer) == [2]


async def test_new_hub_loads_recent_revocations(transactional_db: None) -> None:
    user = await make(make_office)()
    older = auth.identity_of_token(await make(token_for)(user))
    await make(lose_staff)(user)
    later = await Hub.current()
    assert later.readers.revocations.cover(older)
    await later.stop()


async def test_reactivated_account_may_connect(hub: Hub) -> None:
    user = await make(make_office)()
    token = auth.identity_of_token(await make(token_for)(user))

    def deactivate_and_reactivate() -> None:
        deactivate(user)
        log.assign_event_ids()
        user.is_active = True
        user.save()

    await make(deactivate_and_reactivate)()
    await until(hub, 2)
    hub.readers.revocations.check(token)


async def test_change_without_a_signal_closes_sockets(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RIGHTS_SECONDS", 0.05)
    hub = await Hub.current()
    users = [await make(make_office)() for _ in range(3)]
    first, second, third = [await join_with_token(user, hub) for user in users]
    link = join(hub, Reader("track:1", identity=Identity(tracked_order_id=1)))

    def update_without_signals() -> None:
        User.objects.filter(pk=users[0].pk).update(is_active=False)
        User.objects.filter(pk=users[1].pk).update(is_staff=False)

    await make(update_without_signals)()
    async with asyncio.timeout(5):
        assert (await first.closing, await second.closing) == (4401, 4401)
    await asyncio.sleep(0.2)
    await hub.stop()
    assert not third.closing.done()
    assert not link.closing.done()


def test_revocations_outlive_tokens() -> None:
    user, revocations = make_office(), rights.Revocations()
    older = Identity.of(user)
    lose_staff(user)
    log.assign_event_ids()
    (revocation,) = rights.recent_revocations()
    revocations.add(revocation)
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        assert (rights.recent_revocations(), revocations.cover(older)) == ([revocation], True)
    with time_machine.travel(timezone.now() + timedelta(minutes=31)):
        assert rights.recent_revocations() == []
        lose_staff(make_office())
        log.assign_event_ids()
        revocations.add(rights.recent_revocations()[-1])
    assert not revocations.cover(older)


def test_clock_ahead_drops_no_revocation() -> None:
    users, revocations = [make_office(), make_office()], rights.Revocations()
    identities = [Identity.of(user) for user in users]
    lose_staff(users[0])
    with time_machine.travel(timezone.now() + timedelta(days=366)):
        lose_staff(users[1])
    log.assign_event_ids()
    for event in rights.recent_revocations():
        revocations.add(event)
    assert all(map(revocations.cover, identities))


def test_log_contains_neither_session_nor_password() -> None:
    user, browser = make_office(), Client()
    browser.force_login(user)
    key = browser.cookies["sessionid"].value
    browser.logout()
    change_password(user)
    log.assign_event_ids()
    text = str([event.data for event in log.read(0, 10)])
    assert rights.session_name(key) in text
    assert key not in text
    assert user.password not in text
