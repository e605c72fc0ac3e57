from __future__ import annotations

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from importing.columns import WHOLE_ROW, UnreadableSheet
from importing.sheet import read

TEXT = "編號,客戶\n1,洪小姐\n"


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("cp950", "cp950"), ("utf-16", "utf-16")],
)
def test_encoding_is_found(encoding: str, found: str) -> None:
    got = read(TEXT.encode(encoding))
    assert (got.encoding, got.heading.cells, got.lines[0].cells) == (found, ["編號", "客戶"], ["1", "洪小姐"])


@pytest.mark.parametrize("named", ["big5", "Big5", "BIG-5"])
def test_big5_means_that_of_windows(named: str) -> None:
    # 碁 is in cp950 and not in Python's plain big5.
    assert read("客戶\n宏碁\n".encode("cp950"), named).lines[0].cells == ["宏碁"]


def test_named_encoding_may_have_a_mark() -> None:
    assert read(TEXT.encode("utf-8-sig"), "utf-8").heading.cells[0] == "編號"


@pytest.mark.parametrize("named", ["utf-8", "no-such", "hex", "idna", "\0"])
def test_wrong_encoding_is_refused_by_its_name(named: str) -> None:
    with pytest.raises(UnreadableSheet, match=named):
        read(TEXT.encode("cp950"), named)


@pytest.mark.parametrize("data", [b"\x00\x01\x02" * 99, TEXT.encode("utf-16-le"), b"%PDF\x02"])
def test_what_is_no_text_is_refused_with_what_to_do(data: bytes) -> None:
    with pytest.raises(UnreadableSheet, match="CSV UTF-8"):
        read(data)


def test_workbook_is_refused_with_what_to_do() -> None:
    with pytest.raises(UnreadableSheet, match="CSV UTF-8"):
        read(b"PK\x03\x04" + b"\0" * 40)


def test_file_too_large_is_refused() -> None:
    with pytest.raises(UnreadableSheet, match="5 MB"):
        read(b"a" * (5 * 1024 * 1024 + 1))


def test_as_many_rows_as_allowed_are_read_and_no_more() -> None:
    assert len(read(b"h\n1\n2\n", max_rows=2).lines) == 2
    with pytest.raises(UnreadableSheet, match="2"):
        read(b"h\n1\n2\n3\n", max_rows=2)


@pytest.mark.parametrize("data", [b"", b"\n\n", b",,\n , ,\n", b"\xef\xbb\xbf"])
def test_empty_file_is_refused(data: bytes) -> None:
    with translation.override("en"), pytest.raises(UnreadableSheet, match="empty"):
        read(data)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiter_is_found(delimiter: str) -> None:
    data = f'編號{delimiter}備註\n1{delimiter}"a,b;c\td"\n'
    assert read(data.encode()).lines[0].cells == ["1", "a,b;c\td"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_are_numbered_as_in_the_spreadsheet(end: str) -> None:
    text = end.join(["", "編號,備註", ",", '1,"two', 'lines"', "", "2,"])
    got = read(text.encode())
    assert (got.heading.number, [line.number for line in got.lines]) == (2, [4, 6])


def test_end_of_file_of_dos_is_no_cell() -> None:
    assert read(b"h\n1\n\x1a").lines[-1].cells == ["1"]


@pytest.mark.parametrize("row", ['3,"open', '3,"a"b"', '3,"a" b'])
def test_a_row_with_an_open_quotation_mark_is_faulty_and_swallows_no_other(row: str) -> None:
    got = read(f'編號,備註\n1,2\n{row}\n4,"5\n6"\n7,8\n'.encode())
    assert [(line.number, line.cells) for line in got.lines] == [
        (2, ["1", "2"]), (3, [row]), (4, ["4", "5\n6"]), (5, ["7", "8"]),
    ]  # fmt: skip
    assert [list(line.faults) for line in got.lines] == [[], [WHOLE_ROW], [], []]


@given(st.binary(max_size=300), st.sampled_from(["", "utf-8", "big5", "utf-16"]))
def test_any_bytes_are_read_or_refused(data: bytes, encoding: str) -> None:
    try:
        got = read(data, encoding)
    except UnreadableSheet:
        return
    assert got.heading.number >= 1
    assert "\0" not in "".join(got.heading.cells)
