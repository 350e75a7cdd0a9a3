"""Own data are seen as they are, by every reader: their range, their labels, what is left out."""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.core.errors import DataError
from chainrule.data.dataset import Dataset
from chainrule.data.load import load
from chainrule.data.readers.idx import write_idx
from chainrule.data.readers.images import grey, read_picture

CLASSES, EACH, SIDE = 3, 14, 4
LABELS = np.arange(CLASSES * EACH) % CLASSES


def pictures(highest: int = 255, count: int = CLASSES * EACH) -> np.ndarray:
    """Images of whole numbers 0..highest, all different, with both ends on each."""
    random = np.random.default_rng(0).integers(0, highest + 1, (count, SIDE, SIDE))
    random[:, 0, 0], random[:, 1, 1] = 0, highest
    return random


def csv(path: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    rows = np.column_stack([labels, images.reshape(len(images), -1)])
    np.savetxt(path, rows, fmt="%d" if images.dtype.kind in "ui" else "%.9g", delimiter=",")
    return path


def two_csv(folder: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    folder.mkdir()
    csv(folder / "train.csv", images, labels)
    csv(folder / "test.csv", images, labels)
    return folder


def zipped(path: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    table = csv(path.with_suffix(".csv"), images, labels)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(table, "inside/train.csv")
    return path


def packed(path: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    path.write_bytes(gzip.compress(csv(path.with_suffix(".csv"), images, labels).read_bytes()))
    return path


def npz(path: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    np.savez(path.with_suffix(".npz"), x_train=images, y_train=labels, x_test=images, y_test=labels)
    return path.with_suffix(".npz")


def pickled(path: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    path.write_bytes(pickle.dumps(((images, labels), (images, labels))))
    return path


def idx(folder: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    folder.mkdir()
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(write_idx(images.astype(np.uint8)))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(write_idx(labels))
    return folder


def folder(path: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    dtype = np.uint16 if images.max() > 255 or images.dtype == np.uint16 else np.uint8
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = path / str(label)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.astype(dtype)).save(place / f"{number:03}.png")
    return path


Writer = Callable[[Path, np.ndarray, np.ndarray], Path]
BYTES: list[Writer] = [csv, two_csv, zipped, packed, npz, pickled, idx, folder]
FLOATS: list[Writer] = [csv, two_csv, zipped, packed, npz, pickled]


def seen(dataset: Dataset) -> dict[int, np.ndarray]:
    """All images of a data set, sorted, by label."""
    parts = [dataset.train, dataset.test]
    images = np.concatenate([part.images for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    return {k: np.unique(images[labels == k], axis=0) for k in np.unique(labels).tolist()}


def check(dataset: Dataset, expected: np.ndarray, *, close: float = 0.0) -> None:
    """Each label has the images it was written with, as 0..1."""
    found = seen(dataset)
    flat = expected.reshape(len(expected), -1).astype(np.float32)
    assert sorted(found) == [0, 1, 2]
    for k, images in found.items():
        np.testing.assert_allclose(images, np.unique(flat[k == LABELS], axis=0), atol=close)


@pytest.mark.parametrize("write", BYTES)
def test_bytes_are_over_255(write: Writer, tmp_path: Path) -> None:
    images = pictures()
    dataset = load(path=write(tmp_path / "own", images, LABELS))
    check(dataset, images.astype(np.float32) / np.float32(255))
    assert dataset.white == 255


@pytest.mark.parametrize("highest", [1, 15, 16])
@pytest.mark.parametrize("write", BYTES)
def test_a_few_levels_are_a_scale_of_their_own(write: Writer, highest: int, tmp_path: Path) -> None:
    images = pictures(highest)
    dataset = load(path=write(tmp_path / "own", images, LABELS))
    check(dataset, images / highest, close=0.5 / 255 + 1e-6)
    assert dataset.white == highest
    assert f"no pixel is above {highest}, which is taken as white" in dataset.notes


@pytest.mark.parametrize(
    ("scale", "offset"), [(1 / 255, 0), (2 / 255, -1), (1.0, 0)], ids=["0..1", "-1..1", "0..255"]
)
@pytest.mark.parametrize("write", FLOATS)
def test_floats_of_any_usual_range_are_the_same_bytes(
    write: Writer, scale: float, offset: float, tmp_path: Path
) -> None:
    images = pictures()
    floats = (images * scale + offset).astype(np.float64)
    check(load(path=write(tmp_path / "own", floats, LABELS)), images / 255, close=1e-7)


@pytest.mark.parametrize("write", FLOATS)
def test_fractions_up_to_255_are_over_255(write: Writer, tmp_path: Path) -> None:
    """As a picture that was made smaller has them."""
    images = np.clip(pictures() + 0.37, 0, 255)
    check(load(path=write(tmp_path / "own", images, LABELS)), images / 255, close=1e-6)


@pytest.mark.parametrize("write", FLOATS)
def test_standardised_pixels_are_refused(write: Writer, tmp_path: Path) -> None:
    images = (pictures() / 255 - 0.1307) / 0.3081
    with pytest.raises(DataError, match=r"-0.42.*(scale the pixels|before they were standard)"):
        load(path=write(tmp_path / "own", images, LABELS))


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_pictures_of_16_bits_are_seen_in_the_bits_they_use(bits: int, tmp_path: Path) -> None:
    images = pictures(2**bits - 1).astype(np.uint16)
    dataset = load(path=folder(tmp_path / "own", images, LABELS))
    check(dataset, images / (2**bits - 1), close=1 / 255 + 1e-6)
    assert dataset.white == 2**bits - 1
    assert f"hold numbers up to {2**bits - 1:,}, which is white" in dataset.notes[0]
    # A single picture of that set, in its range, gives the same bytes.
    path = next((tmp_path / "own" / "0").iterdir())
    one = grey(read_picture(path), white=dataset.white).reshape(-1) / np.float32(255)
    assert (seen(dataset)[0] == one).all(axis=1).any()


def test_both_parts_of_pictures_have_one_range(tmp_path: Path) -> None:
    """A test part that is darker than the training part stays darker."""
    folder(tmp_path / "own" / "train", pictures(4095).astype(np.uint16), LABELS)
    folder(tmp_path / "own" / "test", pictures(200).astype(np.uint16), LABELS)
    for dataset in (
        load(path=tmp_path / "own"),
        load(path=tmp_path / "own" / "train", test_path=tmp_path / "own" / "test"),
    ):
        assert dataset.white == 4095
        assert dataset.train.images.max() == 1
        assert dataset.test.images.max() == np.float32((200 >> 4) / 255)


def test_a_test_part_on_another_path_in_a_wider_range_is_refused(tmp_path: Path) -> None:
    folder(tmp_path / "train", pictures(4095).astype(np.uint16), LABELS)
    folder(tmp_path / "test", pictures(65_535).astype(np.uint16), LABELS)
    with pytest.raises(DataError, match=r"up to 65,535, and those of .* up to 4,095"):
        load(path=tmp_path / "train", test_path=tmp_path / "test")


@pytest.mark.parametrize("write", BYTES)
@pytest.mark.parametrize(("level", "word"), [(0, "black"), (200, "the same")])
def test_images_that_are_all_the_same_are_refused(
    write: Writer, level: int, word: str, tmp_path: Path
) -> None:
    images = np.full((len(LABELS), SIDE, SIDE), level)
    with pytest.raises(DataError, match=f"images are {word}, so there is nothing to learn"):
        load(path=write(tmp_path / "own", images, LABELS))


@pytest.mark.parametrize("write", [writer for writer in BYTES if writer is not folder])
def test_labels_that_never_vary_are_refused(write: Writer, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"all .* labels are the same, class 1, so there is noth"):
        load(path=write(tmp_path / "own", pictures(), np.ones(len(LABELS), int)))


def test_a_test_set_may_hold_one_class(tmp_path: Path) -> None:
    ones = np.ones(len(LABELS), int)
    dataset = load(path=csv(tmp_path / "own", pictures(), ones), split=False)
    assert set(dataset.test.labels.tolist()) == {1}
    train = csv(tmp_path / "train", pictures(), LABELS)
    dataset = load(path=train, test_path=tmp_path / "own", classes="abc")
    assert "each of the classes a, c has no test example" in dataset.notes


@pytest.mark.parametrize("write", [writer for writer in BYTES if writer is not folder])
@pytest.mark.parametrize("first", [0, 1])
def test_more_labels_than_ten_are_classes_named_by_their_numbers(
    write: Writer, first: int, tmp_path: Path
) -> None:
    labels = np.arange(14 * 7) % 14 + first
    dataset = load(path=write(tmp_path / "own", pictures(count=14 * 7), labels))
    assert dataset.classes == tuple(str(first + k) for k in range(14))
    assert np.unique(dataset.train.labels).tolist() == list(range(14))
    words = f"the labels are {first}..{first + 13}: 14 classes, named by these numbers"
    assert words in "; ".join(dataset.notes)


@pytest.mark.parametrize("write", [csv, npz, idx])
def test_labels_from_one_with_names_for_labels_from_nought_are_refused(write, tmp_path) -> None:
    labels = np.arange(14 * 7) % 14 + 1
    path = write(tmp_path / "own", pictures(count=14 * 7), labels)
    with pytest.raises(DataError, match=r"label 14 is not one of the classes 0\.\.13"):
        load(path=path, classes="abcdefghijklmn")
    assert load(path=path, classes=[str(k) for k in range(1, 15)]).classes[0] == "1"


@pytest.mark.parametrize("write", [csv, npz, idx])
def test_a_gap_in_the_numbers_is_no_class(write: Writer, tmp_path: Path) -> None:
    labels = np.where(LABELS == 2, 77, LABELS)
    with pytest.raises(DataError, match=r"label 77 is not one of the classes 0\.\.9"):
        load(path=write(tmp_path / "own", pictures(), labels))


def test_classes_without_examples_are_told(tmp_path: Path) -> None:
    dataset = load(path=npz(tmp_path / "own", pictures(), LABELS), classes="abcde")
    for part in ("training", "test"):
        assert f"each of the classes d, e has no {part} example" in dataset.notes
    said: list[str] = []
    load(path=tmp_path / "own.npz", classes="abcde", report=said.append)
    assert tuple(said) == dataset.notes


def test_a_class_too_small_for_the_test_part_is_told(tmp_path: Path) -> None:
    labels = LABELS.copy()
    labels[labels == 2] = 1
    labels[:2] = 2
    dataset = load(path=csv(tmp_path / "own", pictures(), labels), classes="abc")
    assert "class c has no test example" in dataset.notes


def table(*columns: np.ndarray, header: str = "", separator: str = ",") -> bytes:
    stream = io.StringIO()
    np.savetxt(stream, np.column_stack(columns), fmt="%d", delimiter=separator)
    return (header + "\n" * bool(header) + stream.getvalue()).encode()


PIXELS = pictures().reshape(len(LABELS), -1)
NAMES = ",".join(f"pixel{k}" for k in range(SIDE * SIDE))
INDEX = np.arange(300, 300 + len(LABELS))
COUNT = np.arange(len(LABELS))
TABLES = {
    "first, unnamed": (table(LABELS, PIXELS), "taken from the first column"),
    "first, named": (table(LABELS, PIXELS, header=f"label,{NAMES}"), ""),
    "last, unnamed": (table(PIXELS, LABELS), "taken from the last column, 17"),
    "last, named": (table(PIXELS, LABELS, header=f"{NAMES},class"), "column 17, 'class'"),
    "amid, named": (
        table(PIXELS[:, :5], LABELS, PIXELS[:, 5:], header="a,b,c,d,e,Target,f,g,h,i,j,k,l,m,n,o,p"
        ),
        "column 6, 'Target'",
    ),
    "pandas' index": (table(INDEX, LABELS, PIXELS, header=f",label,{NAMES}"), "index, column 1"),
    "pandas' columns": (
        table(INDEX, LABELS, PIXELS, header="," + ",".join(map(str, range(17)))),
        "index, column 1",
    ),
    "numbered columns": (
        table(LABELS, PIXELS, header=",".join(map(str, range(17)))), "the first column"
    ),
    "an id last": (table(LABELS, PIXELS, INDEX, header=f"y,{NAMES},id"), "index, column 18"),
    "index, unnamed": (table(COUNT, LABELS, PIXELS), "left out: the index, column 1"),
    "semicolons": (
        table(LABELS, PIXELS, header=f"label,{NAMES}".replace(",", ";"), separator=";"), ""
    ),
    "tabs, quoted": (
        table(PIXELS, LABELS, header=f'{NAMES},"Species"'.replace(",", "\t"), separator="\t"),
        "column 17, 'Species'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_read_by_its_words_and_numbers(name: str, tmp_path: Path) -> None:
    data, words = TABLES[name]
    (tmp_path / "own.csv").write_bytes(data)
    dataset = load(path=tmp_path / "own.csv", classes="abc")
    check(dataset, PIXELS / 255, close=1e-7)
    assert words in "; ".join(dataset.notes)
    assert dataset.notes or not words


def test_decimal_commas_between_semicolons_are_points(tmp_path: Path) -> None:
    text = "\n".join(
        f"{label};" + ";".join(f"{value / 255:.9f}".replace(".", ",") for value in row)
        for label, row in zip(LABELS, PIXELS, strict=True)
    )
    (tmp_path / "own.csv").write_text(text)
    check(load(path=tmp_path / "own.csv", classes="abc"), PIXELS / 255, close=1e-7)


def test_the_test_table_has_its_labels_where_the_training_table_has_them(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_bytes(table(PIXELS, LABELS))
    (tmp_path / "test.csv").write_bytes(table(PIXELS, np.ones_like(LABELS)))
    dataset = load(path=tmp_path, classes="abc")
    assert set(dataset.test.labels.tolist()) == {1}
    np.testing.assert_array_equal(dataset.test.images, PIXELS.astype(np.float32) / np.float32(255))


def test_two_columns_that_may_both_be_labels_are_refused(tmp_path: Path) -> None:
    data = table(LABELS, PIXELS[:, 1:], LABELS, header=f"label,{NAMES[:-8]},class")
    (tmp_path / "own.csv").write_bytes(data)
    with pytest.raises(DataError, match="'label' and 'class' may both be the labels"):
        load(path=tmp_path / "own.csv")


def test_a_bad_field_behind_an_index_is_named_by_its_place_in_the_file(tmp_path: Path) -> None:
    lines = TABLES["pandas' index"][0].decode().splitlines()
    lines[4] = ",".join([*lines[4].split(",")[:6], "x", *lines[4].split(",")[7:]])
    (tmp_path / "own.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match="row 5, column 7: 'x' is not a number"):
        load(path=tmp_path / "own.csv")


def test_what_lies_beside_the_data_is_left_out_and_named(tmp_path: Path) -> None:
    for half in ("train", "val", "test"):
        folder(tmp_path / "own" / half, pictures(), LABELS)
    (tmp_path / "own" / "README.md").write_text("about")
    (tmp_path / "own" / "train" / "labels.csv").write_text("file,label\n")
    dataset = load(path=tmp_path / "own")
    assert len(dataset.train.labels) == 2 * len(LABELS)
    said = "; ".join(dataset.notes)
    for words in ("README.md", "labels.csv", "the pictures in val/ are trained on too"):
        assert words in said


@pytest.mark.parametrize(
    "spelling",
    ["{}-images.idx3-ubyte", "emnist-letters-{}-images-idx3-ubyte", "{}-images-idx3-ubyte.gz"],
)
@pytest.mark.parametrize("deeper", ["", "MNIST/raw", "FashionMNIST"])
def test_idx_files_are_found_in_their_usual_spellings_and_places(
    spelling: str, deeper: str, tmp_path: Path
) -> None:
    place = tmp_path / "own" / deeper
    place.mkdir(parents=True)
    images = pictures()
    for part in ("train", "t10k"):
        for data, name in (
            (write_idx(images), spelling),
            (write_idx(LABELS), spelling.replace("images", "labels").replace("idx3", "idx1")),
        ):
            packed = gzip.compress(data) if name.endswith(".gz") else data
            (place / name.format(part)).write_bytes(packed)
    check(load(path=tmp_path / "own", classes="abc"), images / 255, close=1e-7)


def test_idx_files_of_two_sets_in_one_folder_are_refused(tmp_path: Path) -> None:
    for name in ("letters", "digits"):
        (tmp_path / f"emnist-{name}-train-images-idx3-ubyte").write_bytes(write_idx(pictures()))
    with pytest.raises(DataError, match="of different data sets; give each set a folder"):
        load(path=tmp_path)


def test_a_zip_of_a_training_and_a_test_table_is_both_parts(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as archive:
        archive.writestr("own_train.csv", table(LABELS, PIXELS))
        archive.writestr("own_test.csv", table(LABELS, PIXELS))
        archive.writestr("about.txt", "about")
    dataset = load(path=tmp_path / "own.zip", classes="abc")
    assert len(dataset.train.labels) == len(dataset.test.labels) == len(LABELS)
    assert any("left out: about.txt" in note for note in dataset.notes)


def test_kaggles_test_table_without_labels_is_left_out_and_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as archive:
        archive.writestr("train.csv", table(LABELS, PIXELS, header=f"label,{NAMES}"))
        archive.writestr("test.csv", table(PIXELS, header=NAMES))
        archive.writestr("sample_submission.csv", "ImageId,Label\n1,0\n")
    dataset = load(path=tmp_path / "own.zip", classes="abc")
    check(dataset, PIXELS / 255, close=1e-7)
    for name in ("test.csv", "sample_submission.csv"):
        assert any(f"left out: {name}" in note for note in dataset.notes)
