"""Which text writes a number, and what is a unit beside one."""

from __future__ import annotations

import pytest

from worker.model.values import parse_number, unit_of


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("12.5 ms", "ms"),
        ("37%", "%"),
        ("37 %", "%"),
        ("1.2kB", "kB"),
        ("-3\u00a0°C", "°C"),
        ("90°", "°"),
        ("5e-06s", "s"),
        ("1.234,50 €", "€"),
        ("$9.50", "$"),
        ("€ 12,90", "€"),
        ("9.81 m/s²", "m/s²"),
        (" 4 Ω ", "Ω"),
    ],
)
def test_a_unit_stands_beside_a_number(text: str, unit: str) -> None:
    assert unit_of(text) == unit


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12",
        "12.5",
        "ms",
        "a12",
        "v1.2",
        "1.2.3-rc1",
        "2026-09-01",
        "12:30",
        "3h12m",
        "1a2b",
        "10.0.0.1:80",
        "7/8",
        "#12",
        "12#",
        "12-",
        "5 of 7",
        "12 averyveryverylongword",
        "+ms",
    ],
)
def test_what_is_no_number_with_a_unit_has_none(text: str) -> None:
    assert unit_of(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12.5 ms", 12.5),
        ("12.5ms", 12.5),
        (" -1e3 ms ", -1000),
        ("0", 0),
        ("0.0", 0),
        ("12.5", None),
        ("12.5 s", None),
        ("ms", None),
        ("1.2.3ms", None),
        ("12,5 ms", None),
        ("12.5 ms ms", None),
    ],
)
def test_a_number_with_a_unit_has_it_unless_it_is_zero(text: str, number: float | None) -> None:
    assert parse_number(text, "text", "ms") == number


def test_a_unit_may_stand_before_and_the_comma_be_the_decimal_sign() -> None:
    texts = ["€ 1.234,50", "9,99 €", "1.234.567 €"]
    assert [parse_number(text, "comma", "€") for text in texts] == [1234.5, 9.99, 1234567]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,234.56", 1234.56),
        ("-1,234,567.8", -1234567.8),
        ("1,234,567", 1234567),
        ("999.5", 999.5),
        ("1,234", None),  # may as well be a bit more than one
        ("1,23.4", None),
        ("1234,567.8", None),
        ("1,234.", None),
        ("1.234,5", None),
        ("1,234.5.6", None),
    ],
)
def test_thousands_may_be_set_apart_by_commas(text: str, number: float | None) -> None:
    assert parse_number(text, "text") == number


def test_also_beside_a_unit_and_never_where_the_comma_is_the_decimal_sign() -> None:
    assert parse_number("$1,234.56", "text", "$") == 1234.56
    assert parse_number("1,234.56", "comma") is None
    assert parse_number("1,234", "comma") == 1.234
