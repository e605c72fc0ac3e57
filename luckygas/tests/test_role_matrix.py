"""The permissions of each role, written out by hand, and every access path tried in every role."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import get_commands
from django.test import RequestFactory
from django.urls import URLPattern, get_resolver
from pytest_django import Settings

from accounts import roles
from accounts.roles import ALL, NO, OWN, RIGHTS, Reach, Role, Row, Side, reach
from luckygas.tests import role_surfaces as asked
from luckygas.tests.role_surfaces import PEOPLE, ROLES, SERVED, STAFF_ROLES, Ask, House, Outcome
from luckygas.tests.test_imports import APPS
from orders.tests.factories import make_staff
from pages.page_data import moves_of
from realtime.channels import Identity

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]

# The specification again: for each permission owner, manager, clerk, driver, customer; A all rows, o own rows.
TABLE = """
orders.view_order                         A A A o o
orders.view_proofimage                    A A A o -
customers.view_customer                   A A A o -
catalogue.view_product                    A A A o o
dispatch.view_driver                      A A A o -
dispatch.view_route                       A A A o -
notifications.view_notificationhistory    A A A - -
notifications.view_full_number            A A - - -
notifications.view_messagetemplate        A A A - -
notifications.view_gatewaystate           A A A - -
realtime.open_office                      A A A - -
realtime.view_event                       A A - - -
realtime.view_websocketconnection         A A - - -
web.view_systemmetric                     A A A - -
auth.view_user                            A A - - -
axes.view_accessattempt                   A A - - -
waffle.view_switch                        A A - - -
orders.add_order                          A A A - o
customers.add_customer                    A A A - -
catalogue.add_product                     A A - - -
dispatch.add_driver                       A A - - -
dispatch.add_route                        A A A - -
auth.add_user                             A A - - -
orders.change_order                       A A A - o
orders.move_order                         A A A o o
orders.deliver_order                      A A A o -
dispatch.drive                            - - - o -
customers.change_customer                 A A A - -
catalogue.change_product                  A A - - -
dispatch.change_driver                    A A - - -
dispatch.change_route                     A A A - -
notifications.change_messagetemplate      A A - - -
notifications.change_gatewaystate         A A - - -
auth.change_user                          A A - - -
accounts.appoint_manager                  A - - - -
axes.delete_accessattempt                 A A - - -
waffle.change_switch                      A A - - -
health.clear_cache                        A A - - -
orders.export_statistics                  A A - - -
notifications.export_notificationhistory  A A - - -
orders.correct_order                      A A - - -
catalogue.correct_stock                   A A - - -
notifications.resend_notificationhistory  A A A - -
notifications.overrule_wish               A A - - -
realtime.publish_event                    A A - - -
"""
CELLS = {"A": ALL, "o": OWN, "-": NO}
EXPECTED = {right: Row(*(CELLS[cell] for cell in cells)) for right, *cells in map(str.split, TABLE.split("\n")[1:-1])}

OFFICE, BOSSES, OWNER = set(STAFF_ROLES), {"owner", "manager"}, {"owner"}
NOBODY, DRIVER, CUSTOMER = set[str](), {"driver"}, {"customer"}
DRIVERS, EVERYBODY, ANY_ROLE = OFFICE | DRIVER, set(PEOPLE), set(ROLES)
SIGNED_IN = ANY_ROLE | {"none"}
API = {
    "POST auth/logout/": EVERYBODY, "POST auth/token/": EVERYBODY - {"none"},
    "POST auth/token/refresh/": EVERYBODY - {"none"},
    "GET customers/": DRIVERS, "POST customers/": OFFICE, "GET customers/{id}/": DRIVERS,
    "PATCH customers/{id}/": OFFICE,
    "GET drivers/": DRIVERS, "POST drivers/": BOSSES, "GET drivers/{id}/": DRIVERS, "PATCH drivers/{id}/": BOSSES,
    "GET drivers/locations/": OFFICE,
    "GET events/": ANY_ROLE, "POST events/": BOSSES,
    "GET notifications/": OFFICE, "GET notifications/{id}/": OFFICE, "POST notifications/{id}/resend/": BOSSES,
    "POST notifications/all-reported/": DRIVER, "GET notifications/statistics/": OFFICE,
    "GET notifications/callbacks/{gateway}/{secret}/": EVERYBODY,
    "POST notifications/callbacks/{gateway}/{secret}/": EVERYBODY,
    "GET orders/": ANY_ROLE, "POST orders/": OFFICE | CUSTOMER, "GET orders/{id}/": ANY_ROLE,
    "PATCH orders/{id}/": OFFICE | CUSTOMER, "POST orders/{id}/confirm-delivery/": DRIVERS,
    "POST orders/{id}/proof-images/": DRIVERS, "GET orders/{id}/proof-images/{image}/": DRIVERS,
    "PATCH orders/{id}/status/": ANY_ROLE, "POST orders/bulk-update/": OFFICE, "GET orders/statistics/": OFFICE,
    "GET orders/urgent/": OFFICE, "GET orders/warnings/": OFFICE,
    "GET performance/": OFFICE, "GET performance/cache-stats/": OFFICE, "POST performance/cache-clear/": BOSSES,
    "GET products/": ANY_ROLE, "POST products/": BOSSES, "GET products/{id}/": ANY_ROLE,
    "PATCH products/{id}/": BOSSES,
    "GET routes/": DRIVERS, "POST routes/": OFFICE, "GET routes/{id}/": DRIVERS, "PATCH routes/{id}/": OFFICE,
    "POST routes/{id}/assign-driver/": OFFICE,
    "GET websocket/stats/": BOSSES, "POST websocket/ticket/": ANY_ROLE,
    "the stock of a product": BOSSES, "the account of a customer": BOSSES,
    "a manager's account for a customer": OWNER, "a delivery that was none": BOSSES,
    "a whole telephone number": BOSSES, "a message again": OFFICE, "an order of a new customer": OFFICE,
}  # fmt: skip
# For each model in the admin: who may view, add, change, delete.
MODELS = {
    "waffle.switch": (BOSSES, NOBODY, BOSSES, NOBODY),
    "axes.accessattempt": (BOSSES, NOBODY, NOBODY, BOSSES),
    "auth.user": (BOSSES, BOSSES, BOSSES, NOBODY),
    "customers.customer": (OFFICE, OFFICE, OFFICE, NOBODY),
    "catalogue.product": (OFFICE, BOSSES, BOSSES, NOBODY),
    "dispatch.driver": (OFFICE, BOSSES, BOSSES, NOBODY),
    "dispatch.route": (OFFICE, OFFICE, OFFICE, NOBODY),
    "orders.order": (OFFICE, OFFICE, OFFICE, NOBODY),
    "realtime.event": (BOSSES, NOBODY, NOBODY, NOBODY),
    "realtime.websocketconnection": (BOSSES, NOBODY, NOBODY, NOBODY),
    "notifications.gatewaystate": (OFFICE, NOBODY, BOSSES, NOBODY),
    "notifications.notificationhistory": (OFFICE, NOBODY, NOBODY, NOBODY),
    "notifications.messagetemplate": (OFFICE, NOBODY, BOSSES, NOBODY),
    "web.systemmetric": (OFFICE, NOBODY, NOBODY, NOBODY),
}
ADMIN = {
    "admin:index": OFFICE, "admin:customers_customer_choose": OFFICE, "admin:customers_customer_account": BOSSES,
    "admin:customers_customer_account, open": BOSSES, "admin:catalogue_product_stock": BOSSES,
    "admin:dispatch_driver_password": BOSSES, "admin:auth_user_link": BOSSES,
    "admin:auth_user_link, a manager's": OWNER, "admin:orders_order_statistics": OFFICE,
    "admin:orders_order_statistics, csv": BOSSES, "admin:orders_order_move": OFFICE,
    "admin:orders_order_move, a correction": BOSSES, "admin:dispatch_route_assign": OFFICE,
    "admin:notifications_gateway_start": BOSSES, "admin:notifications_resend": OFFICE,
    "admin:notifications_resend, overruled": BOSSES, "admin:notifications_export": BOSSES,
    "admin:notifications_text_preview": OFFICE, "admin:notifications_text_default": BOSSES,
}  # fmt: skip
# Pages that Django opens to all signed-in staff.
OPEN_IN_ADMIN = {"login", "logout", "password_change_done", "autocomplete", "jsi18n", "view_on_site", "app_list"}
PAGES = {
    "home": SIGNED_IN - DRIVER, "password_change": SIGNED_IN, "new_order": OFFICE, "import_orders": OFFICE,
    "driver": DRIVER, "ws_test": BOSSES, "health_dashboard": OFFICE, "health_plot": OFFICE, "health": OFFICE,
    "health_database": OFFICE, "health_redis": OFFICE, "health_websocket": OFFICE, "health_notifications": OFFICE,
    "health_metrics": OFFICE,
}  # fmt: skip
# Open to anybody: they hold no business data, or need a secret in the URL.
OPEN_PAGES = {
    "login", "logout", "password_change_done", "password_reset", "password_reset_done", "password_reset_confirm",
    "password_reset_complete", "driver_worker", "driver_manifest", "track", "set_language", "words", "health_live",
    "health_ready", "schema", "docs",
}  # fmt: skip
SOCKETS = {
    "/ws": ANY_ROLE, "/office": OFFICE, "/driver": DRIVER, "system": ANY_ROLE,
    "staff": OFFICE, "orders": OFFICE, "drivers": OFFICE, "routes": OFFICE, "customers": OFFICE, "inventory": OFFICE,
    "notifications": OFFICE, "driver:{the driver}": DRIVERS, "driver:{another}": OFFICE, "route:{any}": OFFICE,
    "order:{own}": ANY_ROLE, "order:{another's}": OFFICE, "customer:{the customer}": CUSTOMER,
    "user:{another}": NOBODY, "order_update": DRIVERS, "delivery.confirmed": DRIVERS, "location_update": DRIVER,
}  # fmt: skip
# Commands of the system for administrators with a shell; none acts for a user.
COMMANDS = {
    "record_metrics", "import_orders", "demo", "query_sms_status", "resend_sms", "send_pending_sms", "sms_sandbox",
    "after_restore", "prune_events",
}  # fmt: skip


# Actions on selected rows of a list.
ACTIONS = {
    "customers.customer": {"deactivate": OFFICE},
    "catalogue.product": {"deactivate": BOSSES},
    "dispatch.driver": {"deactivate": BOSSES},
    "orders.order": dict.fromkeys(("confirm", "assign", "cancel", "mark_urgent"), OFFICE),
    "notifications.notificationhistory": {"send_again": OFFICE},
    "axes.accessattempt": {"delete_selected": BOSSES},
}


def expected() -> dict[str, set[str]]:
    """Returns the served roles by access path."""
    table = dict(API)
    for name, (seen, added, changed, deleted) in MODELS.items():
        by_key = {"list": seen, "page": seen, "history": seen, "add": added, "save": changed, "delete": deleted}
        table |= {f"{name} {key}": who for key, who in by_key.items()}
    table |= ADMIN | {f"page {name}": who for name, who in PAGES.items()}
    return table | {f"socket {name}": who for name, who in SOCKETS.items()}


@pytest.fixture
def house(settings: Settings) -> House:
    settings.SMS_CALLBACK_SECRET, settings.SHOP_AREA_CODE = asked.SECRET, "02"
    return House()


def by_doors(house: House) -> dict[str, list[Any]]:
    """Returns the reach of each permission by Django's check, ours, and the sockets'."""
    users = [house.depot.users[role] for role in ROLES]
    people = [(user, Identity.of(user)) for user in users]
    return {
        right: [(user.has_perm(right), reach(user, right), who.reach(right)) for user, who in people]
        for right in EXPECTED
    }


def doors_expected() -> dict[str, list[Any]]:
    return {right: [(cell is ALL, cell, cell) for cell in row] for right, row in EXPECTED.items()}


def test_permissions_match_the_specification(house: House) -> None:
    assert set(RIGHTS) == set(EXPECTED)
    assert by_doors(house) == doors_expected()
    assert not house.depot.users["clerk"].has_perm("orders.delete_order")
    assert not any(reach(house.depot.users[who], right) for who in ("none",) for right in RIGHTS)


def cells() -> Iterator[tuple[str, str, Reach]]:
    """Yields each cell with each value that differs from its own."""
    yield from (
        (right, role, value)
        for right, row in EXPECTED.items() for role in ROLES for value in Reach if value is not getattr(row, role)
    )  # fmt: skip


@pytest.mark.long
def test_any_other_value_in_the_table_is_detected(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    unseen, wanted = [], doors_expected()
    for right, role, value in cells():
        with monkeypatch.context() as patched:
            patched.setitem(RIGHTS, right, RIGHTS[right]._replace(**{role: value}))
            if by_doors(house) == wanted:
                unseen.append((right, role, value))
    assert unseen == []


class Recorded(dict[str, Row]):
    """The table; records its lookups."""

    def __init__(self) -> None:
        super().__init__(RIGHTS)
        self.asked: set[str] = set()

    def get(self, right: str, default: Any = None) -> Any:
        self.asked.add(right)
        return super().get(right, default)


Outcomes = dict[str, dict[str, Outcome]]


def tried(surfaces: dict[str, Ask], house: House, monkeypatch: pytest.MonkeyPatch) -> tuple[Outcomes, Any]:
    """Tries every access path in every role. Returns the outcomes, and the paths by checked permission and role."""
    outcomes: Outcomes = defaultdict(dict)
    asking: defaultdict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    with monkeypatch.context() as patched:
        patched.setattr(roles, "RIGHTS", table := Recorded())
        for name, who in itertools.product(surfaces, PEOPLE):
            table.asked.clear()
            outcomes[name][who] = surfaces[name](house, who)
            for right in table.asked:
                asking[right, who].append((len(table.asked), name))
    # First the paths with few other checks: they are about this permission.
    return outcomes, {key: [name for _many, name in sorted(found)] for key, found in asking.items()}


@pytest.mark.long
def test_every_surface_serves_exactly_the_specified_roles(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    surfaces, wanted = asked.surfaces(), expected()
    outcomes, asking = tried(surfaces, house, monkeypatch)
    known = (asked.SERVED, asked.REFUSED)
    assert [one for name in outcomes for one in outcomes[name].items() if not one[1].startswith(known)] == []
    served = {name: {who for who in PEOPLE if outcomes[name][who].startswith(SERVED)} for name in outcomes}
    assert {name: who for name, who in served.items() if who != wanted.get(name)} == {}
    assert set(served) == set(wanted)
    # Each permission is checked somewhere for each role that it affects.
    unseen = set()
    for right, role, value in turned():
        with monkeypatch.context() as patched:
            patched.setitem(RIGHTS, right, RIGHTS[right]._replace(**{role: value}))
            if all(surfaces[name](house, role) == outcomes[name][role] for name in asking.get((right, role), ())):
                unseen.add((right, role))
    assert unseen == set()


def turned() -> Iterator[tuple[str, str, Reach]]:
    """Each cell given or taken away, where that makes a difference.

    Drivers and customers do not come into the admin, where most rights are asked; who may change something in the
    admin may see it there.
    """
    for right, row in EXPECTED.items():
        changing = EXPECTED.get(right.replace(".view_", ".change_"), row)
        for role in ROLES:
            is_given = getattr(row, role) is not NO
            implied = changing is not row and getattr(changing, role) is ALL
            if (is_given and not implied) or (not is_given and role in STAFF_ROLES):
                yield right, role, NO if is_given else ALL


def test_table_has_every_admin_page() -> None:
    ours = {f"admin:{name}" for name in names_in_admin()} - {f"admin:{name}" for name in OPEN_IN_ADMIN}
    assert ours == {name.partition(",")[0] for name in ADMIN}
    assert set(asked.models()) == set(MODELS)


def names_in_admin() -> set[str]:
    crud = ("_changelist", "_add", "_change", "_delete", "_history")
    ours = map(admin.site.get_model_admin, asked.models().values())
    named = {pattern.name for one in ours for pattern in one.get_urls()}
    named |= {getattr(pattern, "name", None) for pattern in admin.site.urls[0]}
    return {name for name in named if name and not name.endswith(crud) and name != "password_change"}


def test_table_has_every_page() -> None:
    def names(resolver: Any, prefix: str = "") -> Iterator[str]:
        for pattern in resolver.url_patterns:
            route = prefix + str(pattern.pattern)
            if not isinstance(pattern, URLPattern):
                yield from () if pattern.namespace else names(pattern, route)
            elif pattern.name and (not route.startswith("api/v1/") or pattern.name in OPEN_PAGES | set(PAGES)):
                yield pattern.name

    assert set(names(get_resolver())) == OPEN_PAGES | set(PAGES)


def test_no_command_acts_for_a_user() -> None:
    assert {name for name, app in get_commands().items() if app in APPS} == COMMANDS


def test_superuser_is_always_an_owner(house: House) -> None:
    boss = make_staff("clerk", is_superuser=True)
    assert [reach(boss, right) for right in RIGHTS] == [row.owner for row in RIGHTS.values()]


def test_refusals_name_the_roles_that_may() -> None:
    holders = {
        frozenset(role for role, cell in zip(Role, row, strict=True) if cell is not NO) for row in RIGHTS.values()
    }
    assert {each for each in holders if each not in roles.SENTENCES} == {frozenset(Role)}


@pytest.mark.parametrize("role", STAFF_ROLES)
def test_admin_offers_only_permitted_buttons(house: House, role: str) -> None:
    client = house.browsers[role]
    for name, model in asked.models().items():
        path = f"/admin/{name.replace('.', '/')}/{house.row(model).pk}/change/"
        answer = client.get(path)
        for button in (getattr(answer, "context_data", None) or {}).get("buttons", []):
            reply = client.get(button.url)
            assert reply.status_code != 403, (role, button.url)


def test_lists_offer_the_specified_actions(house: House, rf: RequestFactory) -> None:
    offered: dict[str, dict[str, set[str]]] = {}
    for role in STAFF_ROLES:
        request = rf.get("/")
        request.user = house.depot.users[role]
        for name, model in asked.models().items():
            for action in admin.site.get_model_admin(model).get_actions(request):
                offered.setdefault(name, {}).setdefault(action, set()).add(role)
    assert offered == ACTIONS


@pytest.mark.parametrize("role", STAFF_ROLES)
def test_board_offers_only_permitted_moves(house: House, role: str) -> None:
    offered = moves_of(Side.OFFICE, house.depot.users[role])
    assert ("cancelled" in [move["to"] for move in offered["delivered"]]) is (role in BOSSES)
    assert [move["to"] for move in offered["pending"]] == ["confirmed", "cancelled"]


def test_deactivated_users_have_no_role(house: House) -> None:
    for role in ROLES:
        user = house.depot.users[role]
        user.is_active = False
        assert list(roles.roles(user)) == []
