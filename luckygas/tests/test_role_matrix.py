"""The permissions of each role, written out by hand. The tests try every access path in every role."""

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
from luckygas.tests import role_surfaces
from luckygas.tests.role_surfaces import CALLERS, ROLES, SERVED, STAFF_ROLES, Attempt, Outcome, RoleClients
from luckygas.tests.test_imports import APPS
from orders.tests.factories import make_staff
from pages.page_data import moves_of
from realtime.channels import Identity

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]

# A second copy of `accounts.roles.RIGHTS`, so that a mistake in one of them is noticed. Columns: permission, owner,
# manager, clerk, driver, customer. Cells: A (all rows), o (own rows), - (none).
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

OFFICE, MANAGERS, OWNER = set(STAFF_ROLES), {"owner", "manager"}, {"owner"}
NOBODY, DRIVER, CUSTOMER = set[str](), {"driver"}, {"customer"}
DRIVERS, EVERYBODY, ANY_ROLE = OFFICE | DRIVER, set(CALLERS), set(ROLES)
SIGNED_IN = ANY_ROLE | {"none"}
API = {
    "POST auth/logout/": EVERYBODY, "POST auth/token/": EVERYBODY - {"none"},
    "POST auth/token/refresh/": EVERYBODY - {"none"},
    "GET customers/": DRIVERS, "POST customers/": OFFICE, "GET customers/{id}/": DRIVERS,
    "PATCH customers/{id}/": OFFICE,
    "GET drivers/": DRIVERS, "POST drivers/": MANAGERS, "GET drivers/{id}/": DRIVERS, "PATCH drivers/{id}/": MANAGERS,
    "GET drivers/locations/": OFFICE,
    "GET events/": ANY_ROLE, "POST events/": MANAGERS,
    "GET notifications/": OFFICE, "GET notifications/{id}/": OFFICE, "POST notifications/{id}/resend/": MANAGERS,
    "POST notifications/all-reported/": DRIVER, "GET notifications/statistics/": OFFICE,
    "GET notifications/callbacks/{gateway}/{secret}/": EVERYBODY,
    "POST notifications/callbacks/{gateway}/{secret}/": EVERYBODY,
    "GET orders/": ANY_ROLE, "POST orders/": OFFICE | CUSTOMER, "GET orders/{id}/": ANY_ROLE,
    "PATCH orders/{id}/": OFFICE | CUSTOMER, "POST orders/{id}/confirm-delivery/": DRIVERS,
    "POST orders/{id}/proof-images/": DRIVERS, "GET orders/{id}/proof-images/{image}/": DRIVERS,
    "PATCH orders/{id}/status/": ANY_ROLE, "POST orders/bulk-update/": OFFICE, "GET orders/statistics/": OFFICE,
    "GET orders/urgent/": OFFICE, "GET orders/warnings/": OFFICE,
    "GET performance/": OFFICE, "GET performance/cache-stats/": OFFICE, "POST performance/cache-clear/": MANAGERS,
    "GET products/": ANY_ROLE, "POST products/": MANAGERS, "GET products/{id}/": ANY_ROLE,
    "PATCH products/{id}/": MANAGERS,
    "GET routes/": DRIVERS, "POST routes/": OFFICE, "GET routes/{id}/": DRIVERS, "PATCH routes/{id}/": OFFICE,
    "POST routes/{id}/assign-driver/": OFFICE,
    "GET websocket/stats/": MANAGERS, "POST websocket/ticket/": ANY_ROLE,
    "the stock of a product": MANAGERS, "the account of a customer": MANAGERS,
    "a manager's account for a customer": OWNER, "a correction of a delivery": MANAGERS,
    "a whole telephone number": MANAGERS, "a message again": OFFICE, "an order of a new customer": OFFICE,
}  # fmt: skip
# For each model in the admin: who may view, add, change, delete.
MODELS = {
    "waffle.switch": (MANAGERS, NOBODY, MANAGERS, NOBODY),
    "axes.accessattempt": (MANAGERS, NOBODY, NOBODY, MANAGERS),
    "auth.user": (MANAGERS, MANAGERS, MANAGERS, NOBODY),
    "customers.customer": (OFFICE, OFFICE, OFFICE, NOBODY),
    "catalogue.product": (OFFICE, MANAGERS, MANAGERS, NOBODY),
    "dispatch.driver": (OFFICE, MANAGERS, MANAGERS, NOBODY),
    "dispatch.route": (OFFICE, OFFICE, OFFICE, NOBODY),
    "orders.order": (OFFICE, OFFICE, OFFICE, NOBODY),
    "realtime.event": (MANAGERS, NOBODY, NOBODY, NOBODY),
    "realtime.websocketconnection": (MANAGERS, NOBODY, NOBODY, NOBODY),
    "notifications.gatewaystate": (OFFICE, NOBODY, MANAGERS, NOBODY),
    "notifications.notificationhistory": (OFFICE, NOBODY, NOBODY, NOBODY),
    "notifications.messagetemplate": (OFFICE, NOBODY, MANAGERS, NOBODY),
    "web.systemmetric": (OFFICE, NOBODY, NOBODY, NOBODY),
}
ADMIN = {
    "admin:index": OFFICE, "admin:customers_customer_choose": OFFICE, "admin:customers_customer_account": MANAGERS,
    "admin:customers_customer_account, open": MANAGERS, "admin:catalogue_product_stock": MANAGERS,
    "admin:dispatch_driver_password": MANAGERS, "admin:auth_user_link": MANAGERS,
    "admin:auth_user_link, a manager's": OWNER, "admin:orders_order_statistics": OFFICE,
    "admin:orders_order_statistics, csv": MANAGERS, "admin:orders_order_move": OFFICE,
    "admin:orders_order_move, a correction": MANAGERS, "admin:dispatch_route_assign": OFFICE,
    "admin:notifications_gateway_start": MANAGERS, "admin:notifications_resend": OFFICE,
    "admin:notifications_resend, overruled": MANAGERS, "admin:notifications_export": MANAGERS,
    "admin:notifications_text_preview": OFFICE, "admin:notifications_text_default": MANAGERS,
}  # fmt: skip
# Admin pages of Django, which all staff may open. `login` is open to anybody.
OPEN_IN_ADMIN = {"login", "logout", "password_change_done", "autocomplete", "jsi18n", "view_on_site", "app_list"}
PAGES = {
    "home": SIGNED_IN - DRIVER, "password_change": SIGNED_IN, "new_order": OFFICE, "import_orders": OFFICE,
    "driver": DRIVER, "ws_test": MANAGERS, "health_dashboard": OFFICE, "health_plot": OFFICE, "health": OFFICE,
    "health_database": OFFICE, "health_redis": OFFICE, "health_websocket": OFFICE, "health_notifications": OFFICE,
    "health_metrics": OFFICE,
}  # fmt: skip
# Pages that are open to anybody: they hold no business data, or need a secret in the URL.
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
# Commands for administrators with a shell. They check no permissions.
COMMANDS = {
    "record_metrics", "import_orders", "demo", "query_sms_status", "resend_sms", "send_pending_sms", "sms_sandbox",
    "after_restore", "prune_events",
}  # fmt: skip


# Actions on selected rows of a list.
ACTIONS = {
    "customers.customer": {"deactivate": OFFICE},
    "catalogue.product": {"deactivate": MANAGERS},
    "dispatch.driver": {"deactivate": MANAGERS},
    "orders.order": dict.fromkeys(("confirm", "assign", "cancel", "mark_urgent"), OFFICE),
    "notifications.notificationhistory": {"send_again": OFFICE},
    "axes.accessattempt": {"delete_selected": MANAGERS},
}


def expected_roles() -> dict[str, set[str]]:
    """Returns the roles that each access path must serve."""
    table = dict(API)
    for name, (seen, added, changed, deleted) in MODELS.items():
        by_key = {"list": seen, "page": seen, "history": seen, "add": added, "save": changed, "delete": deleted}
        table |= {f"{name} {key}": who for key, who in by_key.items()}
    table |= ADMIN | {f"page {name}": who for name, who in PAGES.items()}
    return table | {f"socket {name}": who for name, who in SOCKETS.items()}


@pytest.fixture
def clients(settings: Settings) -> RoleClients:
    settings.SMS_CALLBACK_SECRET, settings.SHOP_AREA_CODE = role_surfaces.SECRET, "02"
    return RoleClients()


def reach_by_check(clients: RoleClients) -> dict[str, list[Any]]:
    """Returns for each permission the results of three checks per role: Django's, ours, and that of sockets."""
    users = [clients.depot.users[role] for role in ROLES]
    users_and_identities = [(user, Identity.of(user)) for user in users]
    return {
        right: [
            (user.has_perm(right), reach(user, right), identity.reach(right)) for user, identity in users_and_identities
        ]
        for right in EXPECTED
    }


def expected_reach_by_check() -> dict[str, list[Any]]:
    return {right: [(cell is ALL, cell, cell) for cell in row] for right, row in EXPECTED.items()}


def test_permissions_match_the_specification(clients: RoleClients) -> None:
    assert set(RIGHTS) == set(EXPECTED)
    assert reach_by_check(clients) == expected_reach_by_check()
    assert not clients.depot.users["clerk"].has_perm("orders.delete_order")
    assert not any(reach(clients.depot.users[role], right) for role in ("none",) for right in RIGHTS)


def changed_cells() -> Iterator[tuple[str, str, Reach]]:
    """Yields each cell of the table with each value other than the specified one."""
    yield from (
        (right, role, value)
        for right, row in EXPECTED.items() for role in ROLES for value in Reach if value is not getattr(row, role)
    )  # fmt: skip


@pytest.mark.long
def test_any_other_value_in_the_table_is_detected(clients: RoleClients, monkeypatch: pytest.MonkeyPatch) -> None:
    undetected, wanted = [], expected_reach_by_check()
    for right, role, value in changed_cells():
        with monkeypatch.context() as patched:
            patched.setitem(RIGHTS, right, RIGHTS[right]._replace(**{role: value}))
            if reach_by_check(clients) == wanted:
                undetected.append((right, role, value))
    assert undetected == []


class RecordedRights(dict[str, Row]):
    """The table of rights. Records which rights are looked up."""

    def __init__(self) -> None:
        super().__init__(RIGHTS)
        self.lookups: set[str] = set()

    def get(self, right: str, default: Any = None) -> Any:
        self.lookups.add(right)
        return super().get(right, default)


Outcomes = dict[str, dict[str, Outcome]]


def try_all(
    attempts: dict[str, Attempt], clients: RoleClients, monkeypatch: pytest.MonkeyPatch
) -> tuple[Outcomes, Any]:
    """Tries every access path in every role.

    Returns the outcomes by path and caller, and the names of the paths that check a permission, by permission and
    caller.
    """
    outcomes: Outcomes = defaultdict(dict)
    paths_by_permission: defaultdict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    with monkeypatch.context() as patched:
        patched.setattr(roles, "RIGHTS", table := RecordedRights())
        for name, caller in itertools.product(attempts, CALLERS):
            table.lookups.clear()
            outcomes[name][caller] = attempts[name](clients, caller)
            for right in table.lookups:
                paths_by_permission[right, caller].append((len(table.lookups), name))
    # Paths that check few other permissions come first, because they depend on this permission most.
    return outcomes, {key: [name for _many, name in sorted(found)] for key, found in paths_by_permission.items()}


@pytest.mark.long
def test_every_access_path_serves_exactly_the_specified_roles(
    clients: RoleClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts, wanted = role_surfaces.access_paths(), expected_roles()
    outcomes, paths_by_permission = try_all(attempts, clients, monkeypatch)
    known = (role_surfaces.SERVED, role_surfaces.REFUSED)
    assert [one for name in outcomes for one in outcomes[name].items() if not one[1].startswith(known)] == []
    served = {name: {who for who in CALLERS if outcomes[name][who].startswith(SERVED)} for name in outcomes}
    assert {name: who for name, who in served.items() if who != wanted.get(name)} == {}
    assert set(served) == set(wanted)
    # For each permission and role, a changed cell must change the outcome of a path.
    undetected = set()
    for right, role, value in flipped_cells():
        with monkeypatch.context() as patched:
            patched.setitem(RIGHTS, right, RIGHTS[right]._replace(**{role: value}))
            if all(
                attempts[name](clients, role) == outcomes[name][role]
                for name in paths_by_permission.get((right, role), ())
            ):
                undetected.add((right, role))
    assert undetected == set()


def flipped_cells() -> Iterator[tuple[str, str, Reach]]:
    """Yields cells with the opposite value, where that must change an outcome.

    Leaves out rights that drivers and customers do not have, because most are checked in the admin, which they cannot
    open. Leaves out rights to view what the role may change, because the admin also shows what a user may change.
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
    assert set(role_surfaces.models()) == set(MODELS)


def names_in_admin() -> set[str]:
    crud = ("_changelist", "_add", "_change", "_delete", "_history")
    ours = map(admin.site.get_model_admin, role_surfaces.models().values())
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


def test_list_of_commands_is_complete() -> None:
    assert {name for name, app in get_commands().items() if app in APPS} == COMMANDS


def test_superuser_is_always_an_owner(clients: RoleClients) -> None:
    boss = make_staff("clerk", is_superuser=True)
    assert [reach(boss, right) for right in RIGHTS] == [row.owner for row in RIGHTS.values()]


def test_each_set_of_roles_in_the_table_except_all_has_a_refusal_text() -> None:
    holders = {
        frozenset(role for role, cell in zip(Role, row, strict=True) if cell is not NO) for row in RIGHTS.values()
    }
    assert {each for each in holders if each not in roles.SENTENCES} == {frozenset(Role)}


@pytest.mark.parametrize("role", STAFF_ROLES)
def test_admin_offers_only_permitted_buttons(clients: RoleClients, role: str) -> None:
    client = clients.browsers[role]
    for name, model in role_surfaces.models().items():
        path = f"/admin/{name.replace('.', '/')}/{clients.row(model).pk}/change/"
        answer = client.get(path)
        for button in (getattr(answer, "context_data", None) or {}).get("buttons", []):
            reply = client.get(button.url)
            assert reply.status_code != 403, (role, button.url)


def test_lists_offer_the_specified_actions(clients: RoleClients, rf: RequestFactory) -> None:
    offered: dict[str, dict[str, set[str]]] = {}
    for role in STAFF_ROLES:
        request = rf.get("/")
        request.user = clients.depot.users[role]
        for name, model in role_surfaces.models().items():
            for action in admin.site.get_model_admin(model).get_actions(request):
                offered.setdefault(name, {}).setdefault(action, set()).add(role)
    assert offered == ACTIONS


@pytest.mark.parametrize("role", STAFF_ROLES)
def test_board_offers_only_permitted_moves(clients: RoleClients, role: str) -> None:
    offered = moves_of(Side.OFFICE, clients.depot.users[role])
    assert ("cancelled" in [move["to"] for move in offered["delivered"]]) is (role in MANAGERS)
    assert [move["to"] for move in offered["pending"]] == ["confirmed", "cancelled"]


def test_deactivated_users_have_no_role(clients: RoleClients) -> None:
    for role in ROLES:
        user = clients.depot.users[role]
        user.is_active = False
        assert list(roles.roles(user)) == []
