from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError

from catalogue.models import Product
from customers import addresses
from customers.models import Customer
from importing import importer
from importing.columns import UnreadableSheet
from importing.importer import ImportInterrupted, import_orders
from importing.report import Mode, Report
from importing.row import OrderDraft, customer_name_key
from importing.tests.sheets import HOME, make_20kg, make_sheet, row
from luckygas.demo.depot import FIRST, HERE, SECOND, make_products
from orders.models import Order, OrderItem
from orders.tests.factories import make_customer, make_office
from orders.tests.threads import run_concurrently
from web.actors import Source

pytestmark = pytest.mark.django_db


@pytest.fixture
def product() -> Product:
    return make_20kg()


def import_rows(*rows: str, mode: Mode = Mode.GOOD) -> Report:
    return import_orders(make_sheet(*rows), mode=mode)


def problems_of(report: Report) -> list[tuple[int, str, str]]:
    problems = sorted(report.problems, key=lambda problem: problem.row)
    return [(problem.row, problem.column, problem.text) for problem in problems]


def test_row_creates_order(product: Product) -> None:
    office = make_office()
    report = import_orders(make_sheet(row(7, priority="急件", notes="後門進")), by=office)
    order = Order.objects.get()
    assert [(created.row, created.order_number) for created in report.created] == [(2, order.order_number)]
    assert (order.status, order.time_slot, order.priority) == ("pending", "morning", "urgent")
    assert (order.scheduled_date, order.delivery_address, order.area) == (date(2026, 11, 23), HOME, "大安區")
    assert (order.amount_due, order.notes) == (1600, "後門進")
    assert (order.customer.name, order.customer.phone) == ("洪小姐", "+886912345678")
    assert list(order.items.values_list("product", "quantity", "unit_price")) == [(product.pk, 2, 800)]
    history = order.history.get()
    assert (history.by, history.source) == (office, Source.IMPORT)


def test_both_numbers_in_cell_are_stored(product: Product) -> None:
    import_rows(row(phone="02-2365-0003/0900-000-003"))
    customer = Customer.objects.get()
    assert (customer.phone, customer.phone2) == ("+886900000003", "+886223650003")


def test_rows_of_one_new_customer_create_one_customer(product: Product) -> None:
    import_rows(row(1), row(2, phone="０９１２３４５６７８"), row(3, phone="02-2365-0003/0912345678"), row(4, phone=""))
    assert (Customer.objects.count(), Order.objects.count()) == (1, 4)


def test_known_customer_is_unchanged_and_order_gets_row_address(product: Product) -> None:
    known = make_customer(name="洪小姐", phone="0912345678", address="台北市信義區松仁路1號")
    report = import_rows(row(1))
    assert Order.objects.get().customer == known
    assert (Order.objects.get().delivery_address, Order.objects.get().area) == (HOME, "大安區")
    assert Customer.objects.get().address == "台北市信義區松仁路1號"
    assert report.notes == []


def test_different_name_for_known_telephone_is_noted(product: Product) -> None:
    make_customer(name="洪先生", phone="0912345678")
    report = import_rows(row(1))
    assert [(note.row, note.column, note.text) for note in report.notes] == [(2, "客戶", "洪小姐")]
    assert "洪先生" in report.notes[0].reason
    assert (Customer.objects.get().name, Order.objects.count()) == ("洪先生", 1)


def test_different_telephone_of_known_customer_is_noted(product: Product) -> None:
    make_customer(name="洪小姐", phone="0912000000", address=HOME)
    report = import_rows(row(1))
    assert [(note.row, note.column, note.text) for note in report.notes] == [(2, "電話", "0912-345-678")]
    assert (Customer.objects.get().phone, Order.objects.count()) == ("+886912000000", 1)


def test_missing_address_is_taken_from_known_customer(product: Product) -> None:
    report = import_rows(row(1, address=""), row(2), row(3, address=""))
    assert problems_of(report) == [(2, "地址", "")]
    assert [order.delivery_address for order in Order.objects.all()] == [HOME, HOME]


def test_missing_name_is_taken_from_known_customer(product: Product) -> None:
    report = import_rows(row(1, customer=""), row(2), row(3, customer=""))
    assert problems_of(report) == [(2, "客戶", "")]
    assert Order.objects.count() == 2


def test_deactivated_customer_is_reported(product: Product) -> None:
    make_customer(name="洪小姐", phone="0912345678", is_active=False)
    assert problems_of(import_rows(row(1))) == [(2, "客戶", "洪小姐")]
    assert Order.objects.count() == 0


def test_invalid_row_is_reported_and_others_imported(product: Product) -> None:
    report = import_rows(row(1, quantity="0", date="2026-02-30"), row(2), row(3, phone="請打家裡"))
    assert problems_of(report) == [(2, "數量", "0"), (2, "配送日期", "2026-02-30"), (4, "電話", "請打家裡")]
    assert [created.row for created in report.created] == [3]
    assert Order.objects.count() == 1


def test_all_or_nothing_imports_nothing_if_a_row_is_invalid(product: Product) -> None:
    report = import_rows(row(1), row(2, quantity="0"), mode=Mode.ALL)
    assert (report.withheld, report.created, problems_of(report)) == (True, [], [(3, "數量", "0")])
    assert (Order.objects.count(), Customer.objects.count()) == (0, 0)


def test_all_or_nothing_respects_problems_from_database(product: Product) -> None:
    import_rows(row(2))
    with mock.patch.object(importer, "BATCH", 1):
        report = import_rows(row(1), row(2, quantity="9"), mode=Mode.ALL)
    assert (report.created, [problem.row for problem in report.problems]) == ([], [3])
    assert Order.objects.count() == 1


def test_all_or_nothing_imports_all_valid_rows(product: Product) -> None:
    report = import_rows(row(1), row(2), mode=Mode.ALL)
    assert (len(report.created), Order.objects.count()) == (2, 2)


def test_check_reports_and_changes_nothing(product: Product) -> None:
    rows = [row(1), row(1), row(1, quantity="9"), row(2, address=""), row(3, phone="x"), row(4, customer="別人")]
    checked = import_rows(*rows, mode=Mode.CHECK)
    assert (Order.objects.count(), Customer.objects.count()) == (0, 0)
    done = import_rows(*rows)
    assert [created.row for created in checked.created] == [created.row for created in done.created] == [2, 5, 7]
    assert (checked.known, checked.problems, checked.notes) == (done.known, done.problems, done.notes)


@pytest.mark.parametrize("number", ["7", ""])
def test_import_is_idempotent(product: Product, number: str) -> None:
    import_rows(row(number), row(number, quantity="3", date="2026-11-24"))
    again = import_rows(row(number), row(number, quantity="3", date="115/11/24"))
    assert (again.created, again.known, again.problems) == ([], [2, 3], [])
    assert (Order.objects.count(), Customer.objects.count()) == (2, 1)


def test_row_without_address_is_recognised_after_customer_moved(product: Product) -> None:
    customer = make_customer(phone="0912345678")
    import_rows(row(address=""))
    customer.address = "台北市信義區松仁路1號"
    customer.save()
    assert import_rows(row(address="")).known == [2]


def test_numbers_restart_each_day(product: Product) -> None:
    assert len(import_rows(row(1), row(1, date="2026-11-24")).created) == 2


def test_different_rows_without_number_are_different_orders(product: Product) -> None:
    assert len(import_rows(row(), row(quantity="3"), row(slot="下午")).created) == 3


def test_number_reused_in_sheet_is_reported(product: Product) -> None:
    report = import_rows(row(7), row(7, quantity="9"))
    assert problems_of(report) == [(3, "編號", "7")]
    assert "2" in report.problems[0].reason


def test_number_used_by_earlier_order_is_reported(product: Product) -> None:
    import_rows(row(7))
    report = import_rows(row("007", priority="急件"))
    assert problems_of(report) == [(2, "編號", "7")]
    assert Order.objects.get().order_number in report.problems[0].reason
    assert Order.objects.count() == 1


def test_rescheduled_order_is_recognised(product: Product) -> None:
    import_rows(row(7))
    order = Order.objects.get()
    order.scheduled_date = date(2026, 11, 30)
    order.save()
    assert import_rows(row(7)).known == [2]


def test_unknown_heading_is_noted(product: Product) -> None:
    data = make_sheet(row(1)).replace("編號".encode(), "業務員".encode())
    report = import_orders(data)
    assert [(note.row, note.column) for note in report.notes] == [(1, "業務員")]
    assert len(report.created) == 1


def test_unreadable_sheet_creates_no_order(product: Product) -> None:
    with pytest.raises(UnreadableSheet, match="電話"):
        import_orders(make_sheet(row(1)).replace("電話".encode(), b"?"))
    assert Order.objects.count() == 0


def test_progress_counts_every_valid_row(product: Product) -> None:
    counted: list[int] = []

    def track(drafts: list[OrderDraft]) -> Iterator[OrderDraft]:
        for draft in drafts:
            counted.append(draft.row)
            yield draft

    with mock.patch.object(importer, "BATCH", 2):
        import_orders(make_sheet(row(1), row(2), row(3), row(4, quantity="0")), track=track)
    assert counted == [2, 3, 4]


def test_interrupted_import_is_finished_by_the_next(product: Product) -> None:
    rows = [row(number, phone=f"091234567{number}", customer=f"客{number}") for number in range(5)]
    create, created = OrderItem.objects.create, []

    def fail_at_fourth_item(**fields: object) -> OrderItem:
        created.append(fields)
        if len(created) == 4:
            raise OSError("the machine was switched off")
        return create(**fields)

    with (
        mock.patch.object(importer, "BATCH", 2),
        mock.patch.object(OrderItem.objects, "create", fail_at_fourth_item),
        pytest.raises(OSError, match="switched off"),
    ):
        import_rows(*rows)
    assert (Order.objects.count(), Customer.objects.count()) == (2, 2)
    report = import_rows(*rows)
    assert (report.known, len(report.created)) == ([2, 3], 3)
    assert (Order.objects.count(), Customer.objects.count(), OrderItem.objects.count()) == (5, 5, 5)


def test_lock_that_stops_an_import_half_way_is_reported_with_the_rows_imported(product: Product) -> None:
    rows = [row(number, phone=f"091234567{number}", customer=f"客{number}") for number in range(3)]
    lock = mock.Mock(side_effect=[None, OperationalError, OperationalError])
    with (
        mock.patch.object(importer, "BATCH", 2),
        mock.patch.object(importer, "_lock_imports", lock),
        mock.patch("web.database.is_row_locked", return_value=True),
        mock.patch("web.database.MAX_WAIT_SECONDS", 0),
    ):
        with pytest.raises(ImportInterrupted, match="2"):
            import_rows(*rows)
        with pytest.raises(OperationalError):  # nothing was imported, and the usual text says so
            import_rows(*rows)
    assert Order.objects.count() == 2
    assert len(import_rows(*rows).created) == 1


def test_lookup_queries_do_not_grow_with_rows(product: Product, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    # The three queries read products, customers, and rows imported before.
    for count in (1, 50):
        with django_assert_num_queries(3):
            import_rows(*(row(number, phone=f"09{number:08d}") for number in range(count)), mode=Mode.CHECK)


@pytest.mark.django_db(transaction=True)
def test_concurrent_imports_of_one_sheet_create_no_duplicates() -> None:
    make_20kg()
    # Each customer has two rows, in different batches: the second row must find a customer that another import created.
    data = make_sheet(*(row(number, phone=f"09{number % 10:08d}", customer=f"客{number % 10}") for number in range(20)))
    with mock.patch.object(importer, "BATCH", 2):
        reports = run_concurrently(import_orders, [data] * 4)
    assert (Order.objects.count(), Customer.objects.count()) == (20, 10)
    assert sum(len(report.created) for report in reports) == 20
    assert sum(len(report.known) for report in reports) == 60


@pytest.mark.parametrize(("sheet", "rows", "created"), [(FIRST, 161, 149), (SECOND, 121, 109)])
def test_office_sheet_is_read(sheet: tuple[str, str, str, date], rows: int, created: int) -> None:
    make_products()
    data = (HERE / sheet[0]).read_bytes()
    report = import_orders(data)
    assert (report.encoding, report.rows, len(report.created)) == (sheet[1], rows, created)
    assert Order.objects.filter(scheduled_date=sheet[3]).count() == created
    assert import_orders(data).created == []


def test_example_sheet_reports_each_invalid_row() -> None:
    make_products()
    report = import_orders((HERE / FIRST[0]).read_bytes())
    assert problems_of(report) == [
        (9, "電話", "09000000"), (21, "商品", "30公斤"), (33, "配送日期", "2026-02-30"), (37, "電話", "09000000"),
        (45, "地址", ""), (48, "電話", "09000000"), (58, "數量", "0"), (70, "數量", "-1"), (102, "電話", "請打家裡"),
        (109, "電話", "請打家裡"), (149, "電話", "09000001"),
    ]  # fmt: skip
    assert report.known == [52]


def test_other_spelling_of_address_creates_no_second_customer_or_order(product: Product) -> None:
    one, other = "106 台北市大安區龍安里5鄰信義路2段5號之1 五樓", "台北市大安區信義路二段5-1號5樓"
    report = import_rows(row(phone="", address=one), row(phone="", address=other))
    assert (len(report.created), len(report.known), report.problems) == (1, 1, [])
    assert (Customer.objects.count(), Order.objects.count()) == (1, 1)


AWAY = "台北市信義區松仁路1號"
KNOWN = {
    "by either telephone": ({"phone": "0912000000", "phone2": "0912345678", "address": AWAY, "name": "別人"}, True),
    "by name and address together": ({"name": "洪 小姐", "address": "臺北市大安區信義路四段７號"}, True),
    "another name": ({"name": "洪太太", "address": HOME}, False),
    "another address": ({"name": "洪小姐", "address": AWAY}, False),
}


@pytest.mark.parametrize(("known", "is_found"), KNOWN.values(), ids=KNOWN)
def test_customer_is_known_by_telephone_or_name_and_address(
    product: Product, known: dict[str, str], is_found: bool
) -> None:
    customer = make_customer(**({"phone": ""} | known))
    import_rows(row())
    assert (Order.objects.get().customer == customer) is is_found


def test_best_match_of_several_customers_with_one_telephone_wins(product: Product) -> None:
    make_customer(name="洪小姐", address=HOME, phone="")
    make_customer(name="洪小姐", address=HOME, phone="0912345678", is_active=False)
    make_customer(name="別人", address=AWAY, phone="0912345678")
    same_place = make_customer(name="別人", address=HOME, phone="0912345678")
    same_name = make_customer(name="洪小姐", address=AWAY, phone="0912345678")
    import_rows(row(1), row(2, customer="某某"))
    assert [order.customer for order in Order.objects.order_by("pk")] == [same_name, same_place]


def test_same_name_at_other_address_is_another_customer(product: Product) -> None:
    import_rows(row(phone="", address="新竹市東區中山路1號"), row(phone="", address="嘉義市東區中山路1號"))
    assert (Customer.objects.count(), Order.objects.count()) == (2, 2)


@pytest.mark.parametrize(
    "phone", ["8792-1234", "04-7222333-5", "02-2792-1234~6", "02-2792-1234/5", "0912345678/792-1234"]
)
def test_ambiguous_telephone_is_reported_and_creates_no_customer(product: Product, phone: str) -> None:
    report = import_rows(row(phone=phone))
    assert [remark.column for remark in report.problems] == ["電話"]
    assert not Customer.objects.exists()


def test_telephone_without_area_code_gets_shop_area_code(product: Product, settings: Any) -> None:
    settings.SHOP_AREA_CODE = "02"
    import_rows(row(phone="8792-1234 0912-345-678"))
    assert Customer.objects.values_list("phone", "phone2").get() == ("+886912345678", "+886287921234")


def test_addresses_are_compared_only_for_matching_names(product: Product) -> None:
    make_customer(name="別人", phone="0987654321", address="台北市中山區林森北路1號")
    with mock.patch.object(addresses, "address_key", wraps=addresses.address_key) as compared:
        import_rows(row())
    assert {call.args[0] for call in compared.call_args_list} == {HOME}


def test_open_quotation_mark_invalidates_only_its_row(product: Product) -> None:
    rows = [row(1), row(2, customer='"林小姐', phone="0922345678"), row(3, customer="陳", phone="0932345678")]
    report = import_rows(*rows)
    assert problems_of(report) == [(3, "", rows[1])]
    assert (report.rows, [created.row for created in report.created]) == (3, [2, 4])


def test_name_comparisons_grow_linearly_with_rows(product: Product) -> None:
    with mock.patch("importing.importer.customer_name_key", wraps=customer_name_key) as compared:
        import_rows(*(row(number) for number in range(1, 51)), mode=Mode.CHECK)
    assert compared.call_count <= 3 * 50
