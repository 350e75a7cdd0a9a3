"""Parquet: its columns as those of a table, read by pyarrow (the extra `[parquet]`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.errors import DataError
from chainrule.data.readers.archives import MIB
from chainrule.data.table.table import MOST_CELLS, MOST_ROWS, Table, check_finite

PARQUET = b"PAR1"
LARGEST_COLUMNS = 2048 * MIB
"""Bytes of all columns unpacked, as the file declares them."""


def read_parquet(data: bytes, source: str) -> Table:
    """Columns of a Parquet file: numbers, booleans as words, and words; null is an empty cell.

    Raises DataError without pyarrow, for damage, for more than a table may have, and for columns of
    lists or other nested values.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise DataError(
            f"{source} is a Parquet file, which needs pyarrow: pip install 'chainrule[parquet]', "
            "or export it as CSV."
        ) from None
    try:
        file = parquet.ParquetFile(pa.BufferReader(data))
        rows, width = file.metadata.num_rows, file.metadata.num_columns
        groups = (file.metadata.row_group(k) for k in range(file.metadata.num_row_groups))
        size = sum(group.total_byte_size for group in groups)
        if rows > MOST_ROWS or rows * width > MOST_CELLS or size > LARGEST_COLUMNS:
            raise DataError(
                f"{source} declares {rows:,} rows of {width:,} columns, {size:,} bytes; at most "
                f"{MOST_ROWS:,} rows, {MOST_CELLS:,} cells and {LARGEST_COLUMNS:,} bytes are read."
            )
        found = file.read()
        names = tuple(map(str, found.column_names))
        cells = tuple(
            _cells(column, name, source, pa)
            for name, column in zip(names, found.columns, strict=True)
        )
    except DataError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        first = str(error).split("\n")[0][:200]
        raise DataError(
            f"{source} is damaged, or no Parquet file: {first}; export it again."
        ) from None
    if not rows:
        raise DataError(f"{source} holds no rows; bring a row for each example.")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"{source}: two columns are named {twice!r}; rename one of them.")
    table = Table(source, names, True, cells, np.arange(1, rows + 1))
    for column, values in enumerate(cells):
        if values.dtype != object:
            check_finite(table, column)
    return table


def _cells(column: Any, name: str, source: str, pa: Any) -> Array:
    """One column: float64 with nan where it is null, or words."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers: Array = column.cast(pa.float64(), safe=False).to_numpy().astype(np.float64)
        return numbers
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise DataError(
            f"{source}, column {name!r}: holds {kind}, and numbers or words are read; leave it out."
        )
    words = ("" if cell is None else str(cell).strip() for cell in column.to_pylist())
    return np.array([*words], object)
