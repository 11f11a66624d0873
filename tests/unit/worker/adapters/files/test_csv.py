"""A row of CSV is the JSON record that a producer would have sent."""

from __future__ import annotations

import io

import pytest

from worker.adapters.files.csv import ROWS_AT_ONCE, csv_rows, csv_values
from worker.ports import Unreadable


def read(content: str | bytes) -> list[bytes]:
    raw = content.encode() if isinstance(content, str) else content
    return [
        value
        for chunk in csv_values(io.BufferedReader(io.BytesIO(raw)), "t.csv")
        for value in chunk
    ]


def refusal(content: str | bytes) -> str:
    with pytest.raises(Unreadable) as raised:
        read(content)
    assert raised.value.exit_code == 65
    return str(raised.value)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("7", b"7"),
        ("-0.50", b"-0.50"),
        ("1e-3", b"1e-3"),
        (" 12 ", b"12"),
        ("123456789012345678901234567890", b"123456789012345678901234567890"),
        ("true", b"true"),
        ("False", b"false"),
        ("TRUE", b"true"),
        ("tRuE", b'"tRuE"'),
        ("007", b'"007"'),
        ("1.", b'"1."'),
        ("+3", b'"+3"'),
        ("nan", b'"nan"'),
        ("a b", b'"a b"'),
        ('"say ""hi"""', b'"say \\"hi\\""'),
        ('"1\n2"', b'"1\\n2"'),
    ],
)
def test_a_cell_is_a_number_a_boolean_or_text(cell: str, value: bytes) -> None:
    assert read(f"a,b\n{cell},x\n") == [b'{"a":' + value + b',"b":"x"}']


@pytest.mark.parametrize("cell", ["", "  ", '""'])
def test_an_empty_cell_is_absent(cell: str) -> None:
    assert read(f"a,b\n{cell},1\n") == [b'{"b":1}']


def test_cells_that_a_row_lacks_are_absent() -> None:
    assert read("a,b,c\n1\n") == [b'{"a":1}']


def test_an_empty_line_is_no_record() -> None:
    assert read("a,b\n1,2\n\n\n3,4\n") == [b'{"a":1,"b":2}', b'{"a":3,"b":4}']


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    rows = [
        ["at", "name", "x"],
        ["2026-01-01", '"a,b;c"', "1"],
        ["2026-01-02", "d|e f" if delimiter != "|" else "d", "2"],
    ]
    text = "".join(delimiter.join(row) + "\n" for row in rows)
    assert read(text)[0] == b'{"at":"2026-01-01","name":"a,b;c","x":1}'


def test_a_single_column_needs_no_delimiter() -> None:
    assert read("name\na\nb\n") == [b'{"name":"a"}', b'{"name":"b"}']


def test_where_semicolons_divide_a_comma_may_be_the_decimal_one() -> None:
    assert read("a;b\n1,5;-0,25\n2;1,2,3\n") == [b'{"a":1.5,"b":-0.25}', b'{"a":2,"b":"1,2,3"}']


def test_a_comma_in_quotes_is_no_decimal_one_where_commas_divide() -> None:
    assert read('a,b\n"1,5",2\n') == [b'{"a":"1,5","b":2}']


def test_a_row_with_too_many_cells_comes_as_it_was() -> None:
    assert read("a,b\n1,2,3\n4,5\n") == [b"1,2,3", b'{"a":4,"b":5}']


def test_bytes_that_are_not_utf8_spoil_their_row_alone() -> None:
    assert read(b"a,b\n1,\xe9\n2,\xc3\xa9\n") == [b"1,\xe9", b'{"a":2,"b":"\xc3\xa9"}']


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_spreadsheets_write_is_read(encoding: str) -> None:
    assert read("ä\tb\r\n1\tx\r\n".encode(encoding)) == ['{"ä":1,"b":"x"}'.encode()]


def test_a_column_without_a_name_is_counted() -> None:
    assert read(",b\n0,1\n") == [b'{"column_1":0,"b":1}']


def test_what_is_no_table_is_refused() -> None:
    assert refusal("") == "t.csv is empty: its first line should name the columns"
    assert "first line holds numbers" in refusal("1,2\n3,4\n")
    assert refusal("a,b,a\n1,2,3\n") == "t.csv: more than one column is called a"
    assert "iconv -f LATIN1" in refusal(b"\xe9,b\n1,2\n")
    assert "UTF-16" in refusal("a,b\n1,2\n".encode("utf-16")[:-1])


def test_an_open_quote_is_refused_with_its_line() -> None:
    assert "is a quote open?" in refusal('a,b\n1,"2\n' + "3,4\n" * 100_000)


def test_the_rows_are_counted_as_they_are_read() -> None:
    text = "a,b\n" + "1,2\n" * (ROWS_AT_ONCE + 1) + "\n3,4,5\n"
    assert csv_rows(io.BytesIO(text.encode()), "t.csv") == len(read(text)) == ROWS_AT_ONCE + 2
