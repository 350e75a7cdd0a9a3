"""A table from the command line to the predictions: what was measured goes with the model."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule.core.errors import ModelFileError
from chainrule.core.tensor_file import read_sealed, write_sealed
from chainrule.data.dataset import Dataset
from chainrule.nn.model_file import TABLE_FORMAT, Model, load_model, save
from chainrule.nn.network import Network

SPECIES = ("ant", "bee", "cat")
NAMES = ("mass", "weather", "length", "species")
TRAIN = ("--layers", "5,8,3", "--epochs", 30, "--batch-size", 10, "--learning-rate", 0.02)
SHORT = ("--epochs", 2, "--no-pictures", "-q")


def write(path: Path, rows: list[list[object]], names: tuple[str, ...] = NAMES) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def drawn() -> list[list[object]]:
    """Numbers far from 0..255 that tell the species, and words that do not."""
    which = np.arange(120) % 3
    numbers = 1e5 * which[:, None] + np.random.default_rng(5).normal(0, 2e4, (120, 2))
    return [
        [round(a), ("dry", "wet", "hot")[k % 3], f"{b / 1e7:.7f}", SPECIES[which[k]]]
        for k, (a, b) in enumerate(numbers)
    ]


@pytest.fixture
def rows() -> list[list[object]]:
    return drawn()


@pytest.fixture(scope="session")
def made_of_a_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `runs` of a run named t, trained on a table."""
    folder = tmp_path_factory.mktemp("table")
    path = write(folder / "table.csv", drawn())
    options = ("--data", path, "--label", "species", "--run", "t", *TRAIN, "-q")
    command = [sys.executable, "-m", "chainrule", "train", *map(str, options)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert "test rows right" in done.stdout
    return folder / "runs"


@pytest.fixture
def table(chainrule, made_of_a_table: Path, rows) -> Path:
    """A table in the folder where the test's commands run, and a copy of that run beside it."""
    shutil.copytree(made_of_a_table, "runs")
    return write(Path("table.csv"), rows)


def predicted(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_training_leaves_model_figures_and_the_pictures_of_a_table(table: Path) -> None:
    assert {path.name for path in Path("runs/t").iterdir() if path.suffix == ".png"} == {
        "curves.png", "confusion.png",
    }  # fmt: skip
    report = json.loads(Path("runs/t/report.json").read_text())
    assert report["test_accuracy"] > 0.9
    model = load_model("runs/t/model.safetensors")
    assert model.schema is not None
    assert model.schema.names == NAMES[:3]
    assert model.classes == SPECIES


def test_evaluate_and_predict_answer_as_training_measured(chainrule, table: Path) -> None:
    measured = json.loads(chainrule("evaluate", "t", "--json").out)
    report = json.loads(Path("runs/t/report.json").read_text())
    assert measured["accuracy"] == report["test_accuracy"]
    again = json.loads(chainrule("evaluate", "t", "--data", table, "--json").out)
    assert again["errors"] == measured["errors"]
    assert chainrule("predict", "t", table, "--output", "p.csv").code == 0
    with table.open() as file:
        truth = [row["species"] for row in csv.DictReader(file)]
    answers = predicted(Path("p.csv"))
    assert [int(row["row"]) for row in answers] == [*range(2, 122)]
    wrong = sum(row["prediction"] != own for row, own in zip(answers, truth, strict=True))
    assert wrong <= 12
    for row in answers[:5]:
        shares = [float(row[f"P({name})"]) for name in SPECIES]
        assert max(shares) == float(row["probability"])
        assert SPECIES[int(np.argmax(shares))] == row["prediction"]


def test_new_rows_need_no_label_and_columns_may_stand_anywhere(
    chainrule, table: Path, rows, tmp_path: Path
) -> None:
    chainrule("predict", "t", table, "--output", "p.csv")
    turned = [[row[2], "more", row[0], row[1]] for row in rows]
    other = write(tmp_path / "new.csv", turned, ("length", "other", "mass", "weather"))
    done = chainrule("predict", "t", other, "--output", "q.csv")
    assert done.code == 0
    assert "not used: 'other'" in done.err
    assert predicted(Path("q.csv")) == predicted(Path("p.csv"))


def test_a_bad_row_is_named_and_stops_no_other(chainrule, table: Path, rows, tmp_path) -> None:
    rows[1][0] = "heavy"
    rows[3] = rows[3][:2]
    rows[4][0] = "inf"
    rows[6][0] = ""
    bad = write(tmp_path / "bad.csv", rows[:8])
    done = chainrule("predict", "t", bad, "--output", "p.csv", "--format", "kaggle")
    assert done.code == 1
    for said in ("row 3, column 1, 'mass': 'heavy'", "row 5, 2 columns", "row 6, column 1"):
        assert said in done.err
    assert "empty cells in 1 rows" in done.err
    assert "--missing" not in done.err  # which predict does not have
    assert [row["ImageId"] for row in predicted(Path("p.csv"))] == ["1", "3", "6", "7", "8"]
    told = json.loads(chainrule("predict", "t", bad, "--json").out)
    assert [error["row"] for error in told["errors"]] == [3, 5, 6]
    assert len(told["predictions"]) == 5


WRONG = {
    "a picture": (("predict", "t", "x.png"), "reads rows of a table, not pictures"),
    "a folder that is not there": (
        ("predict", "t", "table.csv", "--output", "no/p.csv"), "there is no folder no",
    ),
    "a format": (
        ("predict", "t", "table.csv", "--output", "p.csv", "--format", "kagle"),
        "did you mean kaggle",
    ),
    "images to measure on": (("evaluate", "t", "--data", "mnist"), "holds images"),
    "corrupted copies": (("evaluate", "t", "--corrupted"), "--corrupted is for images"),
    "photos": (("evaluate", "t", "--photos"), "--photos is for images"),
    "a distortion": (
        ("train", "--data", "table.csv", "--label", "species", "--rotation", 5),
        "distortions and pixel_divisor are for images",
    ),
    "no such label": (
        ("train", "--data", "table.csv", "--label", "specie"), "did you mean species",
    ),
    "a page to draw on": (("export", "t", "p.html"), "are no pictures"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_a_table_cannot_be_asked_is_one_sentence(chainrule, table, case: str) -> None:
    arguments, said = WRONG[case]
    before = sorted(Path().rglob("*"))
    done = chainrule(*arguments)
    assert done.code in (1, 2)
    assert said in done.err
    assert "Traceback" not in done.err
    assert sorted(Path().rglob("*")) == before


def test_a_table_that_says_its_label_needs_no_option(chainrule, table: Path) -> None:
    done = chainrule("train", "--data", table, "--run", "auto", *TRAIN, *SHORT)
    assert done.code == 0, done.err
    told = [Path(f"runs/{run}/config.toml").read_text() for run in ("t", "auto")]
    sums = [text[text.index("[checksums]") : text.index("[environment]")] for text in told]
    assert sums[0] == sums[1]


def test_a_stopped_run_of_a_table_goes_on(chainrule, table: Path) -> None:
    whole = load_model("runs/t/model.safetensors").members[0].state.tobytes()
    for path in sorted(Path("runs/t/checkpoints").iterdir())[1:]:
        path.unlink()
    Path("runs/t/model.safetensors").unlink()
    assert chainrule("train", "--resume", "t", "-q").code == 0
    assert load_model("runs/t/model.safetensors").members[0].state.tobytes() == whole


def test_runs_of_tables_are_compared_and_joined(chainrule, table: Path) -> None:
    more = ("--data", table, "--label", "species", "--run", "u", "--seed", 1)
    assert chainrule("train", *more, *TRAIN, *SHORT).code == 0
    assert "rows" in chainrule("compare", "t", "u").out
    assert chainrule("committee", "c", "--members", "t,u").code == 0
    assert chainrule("predict", "c", table, "--output", "p.csv").code == 0
    assert load_model("runs/c/model.safetensors").schema is not None


def test_networks_of_tables_that_are_scaled_otherwise_are_not_compared(
    chainrule, table: Path, rows
) -> None:
    half = write(Path("half.csv"), rows[:90])
    more = ("--data", half, "--label", "species", "--run", "half")
    assert chainrule("train", *more, *TRAIN, *SHORT).code == 0
    done = chainrule("compare", "t", "half", "--data", table)
    assert done.code == 2
    assert "scale them otherwise" in done.err


def test_a_model_file_whose_schema_does_not_fit_is_refused(table, tmp_path: Path) -> None:
    path = Path("runs/t/model.safetensors")
    model = load_model(path)
    other = Network.dense([4, 3], rng=np.random.default_rng(0))
    with pytest.raises(ModelFileError, match=r"a table of 5 inputs, scale 1\.0, for 4 inputs"):
        save(Model(other, SPECIES, schema=model.schema), tmp_path / "x.safetensors")
    tensors, words = read_sealed(path, format=TABLE_FORMAT)
    described = json.loads(words["model"])
    del described["schema"]
    write_sealed(path, tensors, words | {"model": json.dumps(described)})
    with pytest.raises(ModelFileError, match="schema and the format of tables go together"):
        load_model(path)


def test_rows_of_pixels_are_predicted_as_the_images_are(
    chainrule, mine, mnist: Dataset, tmp_path: Path
) -> None:
    """Kaggle's test.csv: a line of names, pixels without a label."""
    images = np.rint(mnist.test.images[:12] * 255).astype(int)
    names = ",".join(f"pixel{k}" for k in range(784))
    path = tmp_path / "test.csv"
    np.savetxt(path, images, fmt="%d", delimiter=",", header=names, comments="")
    labelled = tmp_path / "labelled.csv"
    rows = np.column_stack([mnist.test.labels[:12], images])
    np.savetxt(labelled, rows, fmt="%d", delimiter=",")
    model = load_model("runs/mine/model.safetensors")
    expected = model.predict_proba(mnist.test.images[:12]).argmax(axis=1)
    for each in (path, labelled):
        command = ("predict", "mine", each, "--output", "p.csv", "--format", "kaggle")
        assert chainrule(*command).code == 0
        assert [int(row["Label"]) for row in predicted(Path("p.csv"))] == expected.tolist()
        assert [int(row["ImageId"]) for row in predicted(Path("p.csv"))] == [*range(1, 13)]
