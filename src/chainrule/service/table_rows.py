"""Request bodies for a network of a table: rows of cells in JSON become its inputs.

    {"rows": [{"mass": 12.5, "colour": "red"}, [12.5, "red"]]}

A row is an object with the columns' names, or a list of their cells in the order of training; null
is an empty cell. Anything else is refused with one sentence.
"""

from __future__ import annotations

from math import isfinite, nan
from typing import Any

import numpy as np
import orjson

from chainrule.core.arrays import Array
from chainrule.core.schema import Column, Schema
from chainrule.core.tables import remedy
from chainrule.data.table.encode import encode
from chainrule.data.table.table import Table, as_words
from chainrule.service.refusal import RequestError

MOST_ROWS = 1024
"""Most rows in one request."""


def read_cells(body: bytes, schema: Schema) -> Array:
    """Inputs (N, P) of the rows in a body."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"the body is not JSON: {error}") from None
    if not isinstance(given, dict) or set(given) != {"rows"}:
        raise RequestError(422, 'the body must be {"rows": [...]} and nothing else')
    rows = given["rows"]
    if not isinstance(rows, list) or not rows:
        raise RequestError(422, '"rows" must be a list of at least one row')
    if len(rows) > MOST_ROWS:
        raise RequestError(
            413, f"{len(rows):,} rows: at most {MOST_ROWS:,} are accepted, send several requests"
        )
    cells = [_in_order(row, number, schema) for number, row in enumerate(rows)]
    columns = tuple(
        _column(column, [row[k] for row in cells]) for k, column in enumerate(schema.columns)
    )
    table = Table("the body", schema.names, True, columns, np.arange(len(rows)))
    X = encode(table, schema, range(len(columns))).X
    if not np.isfinite(X).all():
        row = int(np.flatnonzero(~np.isfinite(X).all(axis=1))[0])
        raise RequestError(422, f"row {row} has a number too far from those of training")
    return X


def _in_order(row: Any, number: int, schema: Schema) -> list[Any]:
    """Cells of one row in the order of the columns."""
    if isinstance(row, list):
        if len(row) != len(schema.columns):
            raise RequestError(
                422,
                f"row {number} has {len(row)} cells: the network takes {len(schema.columns)}, "
                f"{', '.join(schema.names)}",
            )
        return row
    if not isinstance(row, dict):
        raise RequestError(422, f"row {number} is neither an object nor a list of cells")
    if strange := [name for name in row if name not in schema.names and name != schema.target]:
        raise RequestError(
            422,
            f"row {number} has a column {strange[0][:60]!r}: {remedy(strange[0], schema.names)}",
        )
    if lacking := [name for name in schema.names if name not in row]:
        raise RequestError(
            422, f"row {number} lacks the column {lacking[0]!r}: null stands for an empty cell"
        )
    return [row[name] for name in schema.names]


def _column(column: Column, cells: list[Any]) -> Array:
    """Cells of a column: words, or float64 with nan for null."""
    words = bool(column.categories)
    for number, cell in enumerate(cells):
        right = cell is None or type(cell) in (int, float) or (words and isinstance(cell, str))
        if not right or (isinstance(cell, float) and not isfinite(cell)):
            kind = "a word or a number" if words else "a number"
            raise RequestError(
                422, f"row {number}, column {column.name!r}: {str(cell)[:40]!r} is not {kind}, or "
                "null for an empty cell",
            )  # fmt: skip
    if not words:
        return np.array([nan if cell is None else float(cell) for cell in cells])
    each = [cell.strip() if isinstance(cell, str) else cell for cell in cells]
    return np.array(
        [
            "" if cell is None else cell if isinstance(cell, str)
            else str(as_words(np.array([float(cell)]))[0])
            for cell in each
        ],
        object,
    )  # fmt: skip
