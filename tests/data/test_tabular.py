from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chainrule.core.errors import DataError
from chainrule.data.dataset import Found, Part
from chainrule.data.readers import tabular
from chainrule.data.readers.formats import read
from chainrule.data.readers.tabular import read_csv


def write_csv(part: Part, *, header: bool = False, scale: float = 0, end: str = "\n") -> bytes:
    """One part as Python's own csv module writes it."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator=end)
    pixels = part.images.reshape(len(part.images), -1)
    if header:
        writer.writerow(["label", *(f"pixel{index}" for index in range(pixels.shape[1]))])
    values = (pixels / scale).tolist() if scale else pixels.tolist()
    for label, row in zip(part.labels.tolist(), values, strict=True):
        writer.writerow([label, *row])
    return stream.getvalue().encode()


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_csv_reads_back(
    tmp_path: Path, sample: Found, header: bool, end: str, packed: bool
) -> None:
    data = write_csv(sample.train, header=header, end=end)
    path = tmp_path / "some.csv"
    path.write_bytes(gzip.compress(data) if packed else data)
    found = read(path)
    assert found.test is None
    np.testing.assert_array_equal(found.train.images, sample.train.images)
    np.testing.assert_array_equal(found.train.labels, sample.train.labels)


def test_a_csv_of_fractions_gives_the_float32_that_bytes_give(sample: Found) -> None:
    part = read_csv(write_csv(sample.test, scale=255), "a.csv", classes=10)
    assert part.images.dtype == np.float32
    np.testing.assert_array_equal(part.images, sample.test.images / np.float32(255))


def test_a_csv_of_v_over_256_gives_the_bytes_back(sample: Found) -> None:
    part = read_csv(write_csv(sample.test, scale=256), "a.csv", classes=10)
    np.testing.assert_array_equal(part.images, sample.test.images)


def test_numpy_savetxt_files_are_read(tmp_path: Path, sample: Found) -> None:
    table = np.column_stack([sample.test.labels, sample.test.images.reshape(70, -1)])
    np.savetxt(tmp_path / "a.csv", table, delimiter=",", header="label and pixels")
    np.testing.assert_array_equal(read(tmp_path / "a.csv").train.images, sample.test.images)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_with_a_training_and_a_test_csv_reads_back(
    tmp_path: Path, sample: Found, suffix: str
) -> None:
    for which, part in (("train", sample.train), ("test", sample.test)):
        data = write_csv(part, header=True)
        (tmp_path / f"mnist_{which}.csv{suffix}").write_bytes(
            gzip.compress(data) if suffix else data
        )
    found = read(tmp_path)
    np.testing.assert_array_equal(found.train.images, sample.train.images)
    np.testing.assert_array_equal(found.test.images, sample.test.images)


def test_a_folder_of_csv_files_with_other_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mnist_train.csv").write_text("1,2\n")
    (tmp_path / "mnist_rest.csv").write_text("1,2\n")
    with pytest.raises(DataError, match="0 CSV files with 'test' in the name"):
        read(tmp_path)


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.just(2), st.just(2))),
    st.integers(1, 40),
    st.booleans(),
    st.booleans(),
)
def test_any_bytes_read_back_whatever_the_block(
    images: np.ndarray, block: int, header: bool, spaces: bool
) -> None:
    part = Part(images, images[:, 0, 0].astype(np.int64))
    data = write_csv(part, header=header)
    if spaces:
        data = data.replace(b",", b", ")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tabular, "BLOCK", block)
        result = read_csv(data, "a.csv", classes=256)
    if spaces and images.max() <= 1:
        return
    np.testing.assert_array_equal(result.images, images)
    np.testing.assert_array_equal(result.labels, part.labels)


@pytest.mark.parametrize(
    "header",
    ["label,a,b,c,d", '"label","1x1","1x2","2x1","2x2"', "label,0,1,2,3", "y,1,2,3,4", "# digits"],
)
def test_a_line_that_names_the_columns_is_a_header(header: str) -> None:
    part = read_csv(f"{header}\n7,1,2,3,4\n".encode(), "a.csv", classes=10)
    assert part.labels.tolist() == [7]
    assert part.images.tolist() == [[[1, 2], [3, 4]]]


def test_a_first_row_with_a_wrong_label_is_no_header() -> None:
    with pytest.raises(DataError, match="row 1, column 1: 'x' is not a number"):
        read_csv(b"x,1,2,9,4\n7,1,2,3,4\n", "a.csv", classes=10)


def test_the_last_line_may_end_without_a_line_end_or_with_many() -> None:
    for end in (b"", b"\n", b"\n\n\n"):
        assert len(read_csv(b"1,0,0,0,9\n2,0,0,0,8" + end, "a", classes=10).labels) == 2


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf1,0,0,0,9\n")
    assert read(tmp_path / "a.csv").train.images.tolist() == [[[0, 0], [0, 9]]]


ROWS = 1300


def spoiled(row: int, column: int, field: str, *, header: bool) -> bytes:
    lines = [["3", "0", "17", "255", "4"] for _ in range(ROWS)]
    lines[row - 1 - header][column - 1] = field
    text = "\n".join(",".join(line) for line in lines)
    return (("label,a,b,c,d\n" if header else "") + text).encode()


@pytest.mark.parametrize(("header", "block"), [(False, tabular.BLOCK), (True, 300)])
@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("x", "'x' is not a number"),
        ("", "'' is not a number"),
        ("1.2.3", "'1.2.3' is not a number"),
        ("1 2", "'1 2' is not a number"),
        ("--1", "'--1' is not a number"),
        ("e5", "'e5' is not a number"),
        ("nan", "'nan' is not a number"),
        ("inf", "'inf' is not a number"),
        ("1e999", "1e999 is outside 0..255"),
        ("256", "256 is outside 0..255"),
        ("1000", "1000 is outside 0..255"),
        ("-1", "-1 is outside 0..255"),
        ('"7"', "'\"7\"' is not a number"),
        ("٣", "is not a number"),
        ("0x10", "'0x10' is not a number"),
        ("1_0", "'1_0' is not a number"),
    ],
)
def test_a_bad_field_is_named_by_row_and_column(
    monkeypatch: pytest.MonkeyPatch, header: bool, block: int, field: str, words: str
) -> None:
    monkeypatch.setattr(tabular, "BLOCK", block)
    with pytest.raises(DataError) as caught:
        read_csv(spoiled(1234, 4, field, header=header), "my.csv", classes=10)
    assert str(caught.value).startswith("my.csv, row 1,234, column 4: ")
    assert words in str(caught.value)


@pytest.mark.parametrize("label", ["10", "77", "2.5"])
def test_a_label_outside_the_classes_is_named_by_row(label: str) -> None:
    with pytest.raises(DataError, match=r"my.csv, row 1,234, column 1: label") as caught:
        read_csv(spoiled(1234, 1, label, header=True), "my.csv", classes=10)
    assert f"label {label} is not one of the classes 0..9" in str(caught.value)


def test_a_fraction_among_bytes_is_one_on_their_scale() -> None:
    part = read_csv(spoiled(1234, 2, "0.5", header=False), "my.csv", classes=10)
    assert part.images[1233].ravel().tolist() == (np.float32([0.5, 17, 255, 4]) / 255).tolist()


def test_fractions_that_reach_neither_end_of_a_scale_are_refused_by_row_and_column() -> None:
    data = b"3,0.5,0.25,0,0\n4,0.5,17,0,0\n"
    with pytest.raises(DataError, match="row 2, column 3: 17 is above 1 in a file that has frac"):
        read_csv(data, "my.csv", classes=10)


def test_a_file_on_two_scales_is_refused_by_row() -> None:
    data = b"3,0,17,255,4\n4,0.5,0.25,0,0\n"
    with pytest.raises(DataError, match=r"row 2: its pixels are in 0..1, and those of others in"):
        read_csv(data, "my.csv", classes=10)


@pytest.mark.parametrize("line", ["3,1,2,3", "3,1,2,3,4,5", "", "3"])
def test_a_ragged_row_is_named(line: str) -> None:
    data = "\n".join(["3,1,2,3,4"] * 6 + [line] + ["3,1,2,3,4"] * 2).encode()
    with pytest.raises(DataError, match=r"row 7: \d columns?, and the first row has 5"):
        read_csv(data, "my.csv", classes=10)


def test_two_short_rows_are_not_one_whole_row() -> None:
    with pytest.raises(DataError, match="row 2: 3 columns"):
        read_csv(b"3,1,2,3,4\n3,1,2\n3,4\n", "my.csv", classes=10)


def test_two_ragged_rows_that_make_up_for_each_other_are_found() -> None:
    data = b"3,1,2,3,4\n3,1,2,3\n3,1,2,3,4,5\n"
    with pytest.raises(DataError, match="row 2: 4 columns"):
        read_csv(data, "my.csv", classes=10)
    with pytest.raises(DataError, match="row 2: 4 columns"):
        read_csv(data.replace(b"1,2", b"0.5,0.1"), "my.csv", classes=10)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"label,a,b\n", "holds no rows"),
        (b"\n\n", "holds no rows"),
        (b"label\n", "holds no rows"),
        (b"1:0:0:0:9\n2:0:0:0:8\n", "one column"),
        (b"0," * 783 + b"0\n", "784 columns make a square picture without a label"),
        (b"1," * 40_000 + b"\n", "longer than 65,536 bytes"),
        (b"1,2,3\n" + b"1" * 70_000, "row 2"),
    ],
)
def test_a_csv_that_is_none_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_csv(data, "my.csv", classes=10)


def test_a_line_without_end_is_refused_in_a_later_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabular, "BLOCK", 64)
    with pytest.raises(DataError, match="row 2: longer than"):
        read_csv(b"1,2,3\n" + b"1" * 70_000, "my.csv", classes=10)


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabular, "MOST_ROWS", 10)
    with pytest.raises(DataError, match="more than 10 rows"):
        read_csv(b"1,2,3\n" * 11, "my.csv", classes=10)


def test_a_row_of_pixels_that_is_no_square_stays_a_row() -> None:
    assert read_csv(b"1,2,3,4\n", "my.csv", classes=10).images.shape == (1, 1, 3)


def arff(found: Found) -> bytes:
    """As OpenML's data set 554: attributes, @DATA, then the pixels and last the class."""
    lines = ["% mnist", "@RELATION mnist_784"]
    lines += [f"@ATTRIBUTE pixel{index} real" for index in range(784)]
    lines += ["@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}", "@DATA"]
    for part in (found.train, found.test):
        for row, label in zip(part.images.reshape(-1, 784), part.labels, strict=True):
            lines.append(",".join(map(str, [*row, label])))
    return "\n".join(lines).encode()


def test_arff_reads_back_as_one_part(tmp_path: Path, sample: Found) -> None:
    path = tmp_path / "mnist_784.arff.gz"
    path.write_bytes(gzip.compress(arff(sample)))
    found = read(path)
    assert found.test is None
    np.testing.assert_array_equal(found.train.images[:210], sample.train.images)
    np.testing.assert_array_equal(found.train.labels[210:], sample.test.labels)


def test_a_bad_label_in_arff_is_named_by_its_line(sample: Found) -> None:
    data = arff(sample).replace(b"@DATA\n", b"@data\r\n", 1)
    first = 784 + 2 + 2 + 1
    lines = data.split(b"\n")
    lines[first + 4] = lines[first + 4].rsplit(b",", 1)[0] + b",11"
    with pytest.raises(DataError, match=f"row {first + 5}, column 785: label 11"):
        tabular.read_arff(b"\n".join(lines), "a.arff", classes=10)


def test_arff_without_data_is_refused() -> None:
    with pytest.raises(DataError, match="no line @DATA"):
        tabular.read_arff(b"% nothing\n", "a.arff", classes=10)
