from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.management import call_command

from accounts import office

pytestmark = pytest.mark.django_db


def granted() -> set[str]:
    rows = Group.objects.get(name=office.NAME).permissions.values_list("content_type__app_label", "codename")
    return {f"{label}.{codename}" for label, codename in rows}


def test_office_works_on_the_business_and_reads_the_rest() -> None:
    assert {"orders.add_order", "customers.change_customer", "orders.view_orderstatuschange"} <= granted()
    assert {"notifications.view_notificationhistory", "realtime.view_event"} <= granted()
    assert not {right for right in granted() if right.startswith(("notifications.add", "realtime.change"))}


def test_office_sends_messages_again_and_writes_no_history_by_hand() -> None:
    assert {"notifications.change_notificationhistory", "notifications.overrule_wish"} <= granted()
    assert "notifications.change_gatewaystate" not in granted()


def test_office_deletes_nothing_and_sees_no_whole_numbers() -> None:
    assert not {right for right in granted() if ".delete_" in right}
    assert "notifications.view_full_number" not in granted()


def test_office_makes_no_accounts_with_rights() -> None:
    assert {right for right in granted() if right.startswith("auth.")} == {"auth.view_user", "auth.change_user"}


def test_every_migration_brings_the_group_up_to_date() -> None:
    before = granted()
    Group.objects.get(name=office.NAME).permissions.clear()
    for config in apps.get_app_configs():
        office.grant(config, using="default")
    assert granted() == before


def test_migration_makes_no_second_group(capsys: Any) -> None:
    call_command("migrate", verbosity=0)
    assert Group.objects.filter(name=office.NAME).count() == 1
