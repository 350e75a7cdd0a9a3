"""Tables of measurements: any separator, the label anywhere, words, empty cells, bad input."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.core.errors import ConfigError, DataError
from chainrule.core.schema import Column, Schema
from chainrule.data.load import load
from chainrule.data.table.encode import encode, measure
from chainrule.data.table.files import read_table
from chainrule.data.table.layout import layout_of

RNG = np.random.default_rng(0)
KINDS = ("hot, dry", "mild", 'so-called "wet"')
SPECIES = ("ant", "bee", "cat")


def rows(count: int = 60) -> list[list[str]]:
    """Three columns, one of them of words with separators and quotes, and the label last."""
    numbers = RNG.normal(1000, 250, (count, 2)).round(3).tolist()
    return [
        [str(a), KINDS[k % 3], f"{b / 1e6:.6f}", SPECIES[k % 3]] for k, (a, b) in enumerate(numbers)
    ]


ROWS = rows()
NAMES = ["mass", "weather", "share, %", "species"]


def text_of(
    table: list[list[str]], names: list[str] | None, separator: str = ",", label_at: int = -1
) -> str:
    """The table as text with its label moved to a place."""
    lines = [*([names] if names else []), *table]
    if label_at == 0:
        lines = [[line[-1], *line[:-1]] for line in lines]
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(lines)
    return text.getvalue()


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return write(tmp_path / "plain.csv", text_of(ROWS, NAMES))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("names", [NAMES, None])
@pytest.mark.parametrize("label_at", [0, -1])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_layouts_give_the_same_inputs(
    tmp_path: Path, plain: Path, separator: str, names: list[str] | None, label_at: int, ends: str
) -> None:
    text = text_of(ROWS, names, separator, label_at).replace("\n", ends)
    path = write(tmp_path / "table.txt", text)
    found = load(path=path, label="first" if label_at == 0 else "last")
    expected = load(path=plain, label="species")
    assert found.classes == expected.classes == SPECIES
    np.testing.assert_array_equal(found.train.images, expected.train.images)
    np.testing.assert_array_equal(found.test.labels, expected.test.labels)
    assert found.checksums == expected.checksums


def test_label_is_a_name_a_number_or_found_by_its_name(plain: Path) -> None:
    by_name = load(path=plain, label="species")
    for label in ("4", "last", ""):
        assert load(path=plain, label=label).checksums == by_name.checksums


def packed(kind: str, text: str, tmp_path: Path) -> Path:
    if kind == "gzip":
        return write(tmp_path / "table.csv.gz", gzip.compress(text.encode()))
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "table.zip", "w") as archive:
            archive.writestr("table.csv", text)
        return tmp_path / "table.zip"
    encodings = {"mark": "utf-8-sig", "utf-16": "utf-16", "windows": "cp1252"}
    return write(tmp_path / "table.csv", text.encode(encodings[kind]))


@pytest.mark.parametrize("kind", ["gzip", "zip", "mark", "utf-16", "windows"])
def test_packed_and_encoded_tables_are_read(tmp_path: Path, kind: str) -> None:
    text = text_of(ROWS, NAMES).replace("ant", "Ameise ä")
    found = load(path=packed(kind, text, tmp_path), label="species")
    assert found.classes == ("Ameise ä", "bee", "cat")
    assert any("Windows-1252" in note for note in found.notes) == (kind == "windows")


def test_decimal_commas_are_numbers_where_commas_do_not_separate(
    tmp_path: Path, plain: Path
) -> None:
    table = [[a.replace(".", ","), w, b.replace(".", ","), s] for a, w, b, s in ROWS]
    path = write(tmp_path / "comma.csv", text_of(table, NAMES, ";"))
    expected = load(path=plain, label="species")
    assert load(path=path, label="species").checksums == expected.checksums


def test_blanks_separate_columns(tmp_path: Path) -> None:
    lines = [f"{k % 2}  {k:4d}   {k * k}" for k in range(30)]
    found = load(path=write(tmp_path / "table.txt", "\n".join(lines)), label="first")
    assert found.train.images.shape[1] == 2


def test_inputs_are_those_of_scikit_learn(plain: Path) -> None:
    """Oracle: StandardScaler and OneHotEncoder, fitted on the training part."""
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    read = read_table(plain, label="species")
    train, every = np.arange(40), np.arange(60)
    schema = measure(read.table, train, 3).schema
    X = encode(read.table.only(every), schema, [c.place for c in schema.columns]).X
    numbers = np.array([[float(row[0]), float(row[2])] for row in ROWS])
    words = np.array([[row[1]] for row in ROWS])
    scaled = preprocessing.StandardScaler().fit(numbers[train]).transform(numbers)
    coded = preprocessing.OneHotEncoder().fit(words[train]).transform(words).toarray()
    np.testing.assert_allclose(X, np.column_stack([scaled[:, 0], coded, scaled[:, 1]]), rtol=1e-5)


def test_scale_is_that_of_the_training_part_alone(tmp_path: Path, plain: Path) -> None:
    far = [[str(1e6 + float(a)), w, b, s] for a, w, b, s in ROWS]
    test = write(tmp_path / "test.csv", text_of(far, NAMES))
    with_test = load(path=plain, test_path=test, label="species")
    alone = load(path=plain, label="species", split=False)
    np.testing.assert_array_equal(with_test.train.images, alone.train.images)
    assert with_test.test.images[:, 0].min() > 100


def test_rows_held_out_as_test_have_no_part_in_the_scale(plain: Path) -> None:
    found = load(path=plain, label="species")
    assert abs(float(found.train.images[:, 0].mean())) < 1e-6
    assert abs(float(found.train.images[:, 0].std()) - 1) < 1e-5


def test_parquet_gives_what_csv_gives(tmp_path: Path, plain: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "mass": [float(row[0]) for row in ROWS],
        "weather": pa.array([row[1] for row in ROWS]).dictionary_encode(),
        "share, %": [float(row[2]) for row in ROWS],
        "species": [row[3] for row in ROWS],
    }
    path = tmp_path / "table.parquet"
    parquet.write_table(pa.table(columns), path)
    assert load(path=path, label="species").checksums == load(path=plain, label="species").checksums
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2 :] = b"PAR1"
    with pytest.raises(DataError, match="is damaged, or no Parquet file"):
        load(path=write(tmp_path / "damaged.parquet", bytes(damaged)))
    parquet.write_table(pa.table(columns | {"mass": [[1.0]] * len(ROWS)}), path)
    with pytest.raises(DataError, match="column 'mass': holds list"):
        load(path=path, label="species")


EMPTY = ("", "?", "NA", "nan", "NULL", " ")


@pytest.mark.parametrize("empty", EMPTY)
@pytest.mark.parametrize("missing", ["", "mean", "drop"])
def test_empty_cells_are_the_mean_or_their_rows_are_left_out(
    tmp_path: Path, empty: str, missing: str
) -> None:
    table = [[*row] for row in ROWS]
    table[5][0] = table[7][1] = table[8][0] = empty
    path = write(tmp_path / "holes.csv", text_of(table, NAMES))
    found = load(path=path, label="species", missing=missing, split=False)
    assert len(found.train.labels) == (57 if missing == "drop" else 60)
    said = "left out (--missing mean" if missing == "drop" else "replaced by the mean"
    assert any(said in note and "'mass' 2, 'weather' 1" in note for note in found.notes)
    if missing != "drop":
        assert found.train.images[5, 0] == 0
        assert not found.train.images[7, 1:4].any()
        # The mean is that of the cells that are there, so it stays the mean.
        assert abs(float(found.train.images[:, 0].mean())) < 1e-6


def test_rows_without_a_label_are_left_out_and_said(tmp_path: Path) -> None:
    table = [[*row[:3], "" if k < 4 else row[3]] for k, row in enumerate(ROWS)]
    found = load(path=write(tmp_path / "t.csv", text_of(table, NAMES)), label="species")
    assert "left out: 4 rows without a label" in found.notes
    assert len(found.train.labels) + len(found.test.labels) == 56


def test_columns_that_tell_nothing_are_left_out_and_said(tmp_path: Path) -> None:
    more = ["id", "constant", "empty", "note"]
    table = [[str(k), "7", "", f"remark {k}", *row] for k, row in enumerate(ROWS)]
    path = write(tmp_path / "more.csv", text_of(table, [*more, *NAMES]))
    found = load(path=path, label="species")
    assert found.schema is not None
    assert found.schema.names == ("mass", "weather", "share, %")
    for name, why in (("id", "index"), ("constant", "all equal"), ("empty", "it is empty"),
                      ("note", "are no categories")):  # fmt: skip
        assert any(f"{name!r}" in note and why in note for note in found.notes)


def test_words_unknown_in_training_count_as_none_and_are_said(tmp_path: Path, plain: Path) -> None:
    strange = [[a, "snow", b, s] for a, _, b, s in ROWS]
    test = write(tmp_path / "test.csv", text_of(strange, NAMES))
    found = load(path=plain, test_path=test, label="species")
    assert not found.test.images[:, 1:4].any()
    assert any("count as none: 'weather' 60" in note for note in found.notes)


def test_a_column_whose_words_come_late_is_one_of_words(tmp_path: Path) -> None:
    """More rows than are converted at a time; the first block holds numbers only."""
    table = [[str(k % 7) if k < 5000 else f"x{k % 9}", str(k), SPECIES[k % 3]] for k in range(9000)]
    path = write(tmp_path / "late.csv", text_of(table, ["code", "mass", "species"]))
    found = load(path=path, label="species")
    assert found.schema is not None
    assert len(found.schema.columns[0].categories) == 16


def test_classes_are_named_in_their_order(tmp_path: Path) -> None:
    lines = [f"{10 - k % 3},{RNG.normal():.4f}" for k in range(40)]
    path = write(tmp_path / "t.csv", "\n".join(lines))
    assert load(path=path, label="first").classes == ("8", "9", "10")
    named = load(path=path, label="first", classes=("low", "middle", "high"))
    assert named.classes == ("low", "middle", "high")
    assert load(path=path, label="first").checksums == named.checksums


WRONG: dict[str, tuple[str, str, str]] = {
    "no such column": ("", "specis", "no column 'specis' for the labels: did you mean species"),
    "no such number": ("", "9", "no column '9'"),
    "two labels in a cell": ("ant;bee", "species", "'ant;bee' holds 2 labels"),
    "infinity": ("inf", "mass", "inf is not a finite number"),
    "a word among numbers": ("heavy", "mass", "'heavy' is not a number, and 59 other cells"),
    "digits with underscores": ("1_000", "mass", "'1_000' is not a number"),
    "a longer row": ("x,y", "raw", "row 5: 5 columns, and the first row has 4"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_tables_are_one_sentence(tmp_path: Path, case: str) -> None:
    cell, column, said = WRONG[case]
    lines = text_of(ROWS, NAMES).splitlines()
    if column in NAMES and cell:
        table = [[*row] for row in ROWS]
        table[3][NAMES.index(column)] = cell
        lines = text_of(table, NAMES).splitlines()
    elif column == "raw":
        lines[4] += ",more"
    path = write(tmp_path / "bad.csv", "\n".join(lines))
    with pytest.raises(DataError) as error:
        load(path=path, label="species" if column in (*NAMES, "raw") else column)
    assert said in str(error.value)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_labels_from_which_nothing_can_be_learned_are_refused(tmp_path: Path) -> None:
    one = [[*row[:3], "ant"] for row in ROWS]
    with pytest.raises(DataError, match="all 60 labels are 'ant'"):
        load(path=write(tmp_path / "one.csv", text_of(one, NAMES)), label="species")
    many = [[*row[:3], f"label {k}"] for k, row in enumerate(ROWS)]
    with pytest.raises(DataError, match="60 different labels in 60 rows"):
        load(path=write(tmp_path / "many.csv", text_of(many, NAMES)), label="species")
    none = [[*row[:3], ""] for row in ROWS]
    with pytest.raises(DataError, match="no row has a label"):
        load(path=write(tmp_path / "none.csv", text_of(none, NAMES)), label="species")
    bare = [["", "", "", row[3]] for row in ROWS]
    with pytest.raises(DataError, match="no column to learn from"):
        load(path=write(tmp_path / "bare.csv", text_of(bare, NAMES)), label="species")


def test_options_of_tables_are_refused_for_images_and_nonsense(plain: Path) -> None:
    with pytest.raises(DataError, match="label= and missing="):
        load("mnist", label="species")
    with pytest.raises(ConfigError, match="missing 'mena': did you mean mean"):
        load(path=plain, label="species", missing="mena")


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "twice.csv", text_of(ROWS, ["mass", "mass", "x", "species"]))
    with pytest.raises(DataError, match="two columns are named 'mass'"):
        load(path=path, label="species")


def test_tables_of_other_columns_do_not_fit_a_schema(plain: Path, tmp_path: Path) -> None:
    schema = load(path=plain, label="species").schema
    other = write(tmp_path / "o.csv", text_of(ROWS, ["mas", "weather", "share, %", "species"]))
    with pytest.raises(DataError, match=r"no column 'mass', which .* did you mean mas"):
        load(path=other, schema=schema)
    narrow = write(tmp_path / "n.csv", text_of([row[2:] for row in ROWS], None))
    with pytest.raises(DataError, match=r"2 columns without names, and the table .* had 4"):
        load(path=narrow, schema=schema)


def test_columns_are_found_by_name_in_any_order(plain: Path, tmp_path: Path) -> None:
    data = load(path=plain, label="species", split=False)
    turned = [[row[3], "x", row[2], row[1], row[0]] for row in ROWS]
    names = ["species", "more", "share, %", "weather", "mass"]
    path = write(tmp_path / "turned.csv", text_of(turned, names))
    found = load(path=path, schema=data.schema, classes=data.classes, split=False)
    np.testing.assert_array_equal(found.train.images, data.train.images)


WORDS = st.text(max_size=8)
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
POSITIVE = st.floats(min_value=1e-30, max_value=1e30)
NUMBERS = st.tuples(WORDS, FINITE, POSITIVE)
CODED = st.tuples(WORDS, st.lists(WORDS, min_size=1, unique=True))


@given(st.lists(NUMBERS | CODED, min_size=1, max_size=5))
def test_schemas_are_read_as_they_were_written(drawn: list[tuple]) -> None:
    columns = []
    for place, (name, *rest) in enumerate(drawn):
        own = {"categories": tuple(rest[0])} if len(rest) == 1 else {}
        mean, deviation = rest if len(rest) == 2 else (0.0, 1.0)
        columns.append(Column(f"{place}{name}", place, mean, deviation, **own))
    schema = Schema(tuple(columns), "target", len(columns), len(columns) + 1, header=True)
    assert Schema.from_json(json.loads(json.dumps(schema.as_json()))) == schema


GOOD = Schema((Column("a", 0, 1.0, 2.0), Column("b", 1, categories=("x",))), "y", 2, 3, True)
BROKEN = {
    "deviation": [0.0, -1.0, float("nan"), "x", None],
    "mean": [float("inf"), [], None],
    "place": [-1, 2, 3, 1.5, True, 10**30],
    "name": [None, 3, "b" * 5000, "b", "y"],
}


@pytest.mark.parametrize(("key", "value"), [(k, v) for k, values in BROKEN.items() for v in values])
def test_schemas_with_wrong_values_are_refused(key: str, value: object) -> None:
    described = GOOD.as_json()
    assert Schema.from_json(described) == GOOD
    described["columns"][0][key] = value
    with pytest.raises((ValueError, TypeError, KeyError)):
        Schema.from_json(described)


def test_layout_finds_names_above_words_too() -> None:
    for names, first in itertools.product([True, False], ["kind,colour", "round,red"]):
        body = "\n".join(["round,red", "flat,blue", "round,blue"] * 3)
        layout = layout_of(f"{first}\n{body}" if names else body, "t.csv")
        assert layout.header == (names and first == "kind,colour")
