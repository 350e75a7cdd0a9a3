"""Decimal fractions of a table, read for all fields at once, are those that Python reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.readers import decimals as module
from chainrule.data.readers.decimals import decimals
from chainrule.data.readers.tabular import read_csv

FORMS = ("%.1f", "%.3f", "%.6f", "%.17g", "%.18e", "%r", "%.0f", "%.9E", "%g")


def block(values: np.ndarray, form: str) -> bytes:
    return ("\n".join(",".join(form % x for x in row) for row in values.tolist()) + "\n").encode()


def as_python_reads(text: bytes) -> np.ndarray:
    return np.array([[float(x) for x in row.split(b",")] for row in text.splitlines()]).astype("f4")


@pytest.mark.parametrize("largest", [1.0, 9.9, 255.0])
@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_bits_that_python_reads(form: str, largest: float) -> None:
    rng = np.random.default_rng(1)
    values = rng.random((300, 30)) * largest * rng.integers(0, 2, (300, 30))
    text = block(values, form)
    found = decimals(text, 30)
    if form != "%g":
        assert found is not None
    if found is not None:
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, as_python_reads(text))


@given(st.lists(st.floats(0, 255, width=64), min_size=1, max_size=40), st.sampled_from(FORMS))
def test_no_number_is_read_otherwise(numbers: list[float], form: str) -> None:
    text = block(np.array(numbers)[:, None], form)
    found = decimals(text, 1)
    if found is not None:
        np.testing.assert_array_equal(found, as_python_reads(text))


def test_numbers_between_two_of_float32_are_rounded_as_python_does() -> None:
    low = np.random.default_rng(0).random(400).astype(np.float32)
    middle = (low.astype(np.float64) + np.nextafter(low, np.float32(2))) / 2
    for digits in (15, 16, 17, 18):
        form = f"%.{digits}e"
        text = block(np.stack([middle, np.nextafter(middle, 0), np.nextafter(middle, 2)], 1), form)
        found = decimals(text, 3)
        if found is not None:
            np.testing.assert_array_equal(found, as_python_reads(text))
    # A few among many are read by themselves.
    many = np.tile(np.arange(60) / 64, (400, 1))
    many[:, 7] = middle
    text = block(many, "%.18e")
    found = decimals(text, 60)
    assert found is not None
    np.testing.assert_array_equal(found, as_python_reads(text))


@pytest.mark.parametrize(
    "field", ["-0.5", "256", "1_0", "nan", "inf", "", "0.5.5", "1e999", "0x1", "1e5", " 1", "½"]
)
def test_other_fields_are_left_to_the_reader_of_single_fields(field: str) -> None:
    rows = [["0.25"] * 40 for _ in range(9)]
    rows[4][17] = field
    assert decimals(("\n".join(map(",".join, rows)) + "\n").encode(), 40) is None


@pytest.mark.parametrize(("field", "value"), [("1.", 1.0), (".5", 0.5), ("+2.5", 2.5), ("2E1", 20)])
def test_a_few_odd_fields_are_numbers_too(field: str, value: float) -> None:
    rows = [["0.25"] * 40 for _ in range(9)]
    rows[4][17] = field
    found = decimals(("\n".join(map(",".join, rows)) + "\n").encode(), 40)
    assert found is not None
    assert found[4, 17] == value
    assert (found == 0.25).sum() == 9 * 40 - 1


@pytest.mark.parametrize("text", [b"", b"\n", b"0.5", b"0.5,0.5\n0.5\n", b"0.5\n0.5,0.5\n"])
def test_what_has_no_rows_of_these_columns_is_not_read(text: bytes) -> None:
    assert decimals(text, 2) is None


def test_pieces_are_put_together_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", 100)
    values = np.random.default_rng(0).random((50, 9))
    text = block(values, "%.6f")
    np.testing.assert_array_equal(decimals(text, 9), as_python_reads(text))


def test_a_table_that_begins_with_whole_numbers_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.data.readers.tabular.BLOCK", 64)
    rows = [f"{k % 3},{k % 2},{k % 2},1,0" for k in range(20)]
    rows += [f"{k % 3},0.5,0.25,1,0.{k}" for k in range(20)]
    found = read_csv("\r\n".join(rows).encode(), "a.csv", classes=None)
    assert found.images.dtype == np.float32
    assert found.labels.tolist() == [k % 3 for k in range(20)] * 2
    np.testing.assert_array_equal(found.images[1].ravel(), [1, 1, 1, 0])
    np.testing.assert_array_equal(found.images[25].ravel(), np.float32([0.5, 0.25, 1, 0.5]))
