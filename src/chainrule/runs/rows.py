"""Predictions of a saved run on the rows of a table: of measurements, or of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.core.arrays import Array, Float, Int
from chainrule.core.errors import DataError
from chainrule.core.files import expanded
from chainrule.data.load import Report
from chainrule.data.readers.columns import LABEL_WORDS
from chainrule.data.readers.values import pixels, to_bytes
from chainrule.data.table.cells import Wrong, read_known
from chainrule.data.table.encode import encode
from chainrule.data.table.files import content, read_table
from chainrule.data.table.layout import decoded, layout_of
from chainrule.data.table.own import remarks
from chainrule.nn.model_file import Model
from chainrule.runs.folder import read_run, say_caveat


@dataclass(frozen=True)
class RowPredictions:
    """Predictions for the rows of a table, and why there is none for others."""

    source: str
    classes: tuple[str, ...]
    lines: Int[Array, " N"]
    """Line of the file, from 1, of each row that has a prediction."""
    probabilities: Float[Array, "N K"]
    wrong: tuple[Wrong, ...]
    """Rows without one."""

    @property
    def labels(self) -> list[str]:
        """The most probable class of each row."""
        return [self.classes[k] for k in self.probabilities.argmax(axis=1)]

    @property
    def numbers(self) -> Int[Array, " N"]:
        """Number of each row, from 1, among all rows of the file."""
        every = np.sort([*self.lines, *(line for line, _ in self.wrong)])
        numbers: Array = np.searchsorted(every, self.lines) + 1
        return numbers

    def as_json(self) -> dict[str, Any]:
        """Each row with its class and its probabilities; errors, if any."""
        errors = [{"row": line, "error": reason} for line, reason in self.wrong]
        return ({"errors": errors} if errors else {}) | {
            "predictions": [
                {"row": line, "label": label, "probabilities": row}
                for line, label, row in zip(
                    self.lines.tolist(), self.labels, self.probabilities.tolist(), strict=True
                )
            ]
        }


def predict_table(run: str, path: Path, *, say: Report) -> RowPredictions:
    """Predicts each row of a table with a run's network, see `predict_rows`."""
    model, _ = read_run(run)
    say_caveat(run, model, say)
    return predict_rows(model, path, say=say)


def predict_rows(model: Model, path: str | Path, *, say: Report) -> RowPredictions:
    """Predicts each row of a table; a row that cannot be read keeps its reason.

    A network of a table takes the columns that it was trained on, whatever stands beside them; one
    of images takes rows of their pixels, with or without a label. Raises DataError for a file that
    is no such table.
    """
    path = expanded(path)
    X, lines, wrong = (_cells if model.schema else _pixels)(model, path, say)
    with np.errstate(over="ignore", invalid="ignore"):
        probabilities = model.predict_proba(X)
    finite = np.isfinite(probabilities).all(axis=1)
    wrong += [
        Wrong(line, "the network's answer is not a finite number: a cell is too far from those "
              "that it was trained on; correct it")
        for line in lines[~finite].tolist()
    ]  # fmt: skip
    return RowPredictions(
        str(path), model.labels, lines[finite], probabilities[finite], tuple(sorted(wrong))
    )


def _cells(model: Model, path: Path, say: Report) -> tuple[Array, Array, list[Wrong]]:
    """(inputs, lines, rows that are wrong) of a table of measurements."""
    schema = model.schema
    assert schema is not None
    read = read_table(path, schema=schema)
    used = {*read.places, read.target}
    if others := [name for k, name in enumerate(read.table.names) if k not in used]:
        say(f"{path}: not used: {', '.join(map(repr, others))}")
    encoded = encode(read.table, schema, read.places)
    for line in (*read.table.notes, *remarks(encoded, "", str(path))):
        say(line)
    return encoded.X, read.table.lines, read.wrong


def _pixels(model: Model, path: Path, say: Report) -> tuple[Array, Array, list[Wrong]]:
    """(inputs, lines, rows that are wrong) of a table of pixels; a column of labels is left out."""
    text, notes = decoded(*content(path))
    layout = layout_of(text, str(path))
    places = [*range(len(layout.names))]
    if len(places) == model.inputs + 1:
        words = (k for k, name in enumerate(layout.names) if name.strip().lower() in LABEL_WORDS)
        places.remove(next(words, 0))
        notes = (*notes, f"{path}: the labels are not used")
    if len(places) != model.inputs:
        raise DataError(
            f"{path} has {len(places)} columns, and the network takes {model.inputs} pixels, with "
            "or without a label beside them; give such a table."
        )
    table, wrong = read_known(text, str(path), layout, numbers=places, words=())
    cells = np.stack([table.cells[k] for k in places], axis=1)
    empty = np.isnan(cells).any(axis=1)
    wrong += [Wrong(line, "a pixel is empty; bring it") for line in table.lines[empty].tolist()]
    if empty.all():
        raise DataError(f"{path}: no row can be read: {wrong[0].reason}.")
    found = pixels(cells[~empty], str(path))
    if found.dtype == np.uint8:
        white = model.preprocessing.white if model.preprocessing else 255
        found = to_bytes(found, white) / np.float32(255)
    for line in notes:
        say(line)
    return found.astype(np.float32), table.lines[~empty], wrong
