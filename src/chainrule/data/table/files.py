"""Files of tables: text, gzipped or zipped, and Parquet, for training or for a schema.

With a schema, that of a trained network, the columns are found by its names, and those of words are
read as words.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from math import isqrt
from pathlib import Path
from typing import NamedTuple

from chainrule.core.errors import DataError
from chainrule.core.files import expanded
from chainrule.core.schema import Schema
from chainrule.data.readers.archives import (
    HEAD,
    LARGEST_NPZ,
    MIB,
    gunzip,
    open_zip,
    read_file,
    zip_member,
)
from chainrule.data.readers.tabular import SMALLEST_PICTURE
from chainrule.data.table.cells import Wrong, read_known, read_text
from chainrule.data.table.encode import places_of
from chainrule.data.table.layout import decoded, layout_of
from chainrule.data.table.parquet import PARQUET, read_parquet
from chainrule.data.table.table import Table
from chainrule.data.table.target import find_target

LARGEST_FILE = 1024 * MIB
GZIP, ZIP = b"\x1f\x8b", b"PK"
SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".parquet", ".csv.gz", ".tsv.gz", ".csv.zip")


class Read(NamedTuple):
    """Table of a file, the place of its target, and those of the schema's columns."""

    table: Table
    target: int | None
    places: list[int]
    """Empty without a schema."""
    wrong: list[Wrong]
    """Rows left out because a cell is wrong; without a schema these raise DataError."""

    def all_right(self) -> Read:
        """The same; DataError if a row is wrong."""
        if self.wrong:
            line, reason = self.wrong[0]
            raise DataError(f"{self.table.source}, row {line:,}, {reason}.")
        return self


def read_table(path: Path, *, label: str = "", schema: Schema | None = None) -> Read:
    """Reads a table; `label` names the column of the target, see `find_target`.

    With a schema the target may be missing. Raises DataError for a file that is no table, and for
    a column that is not there.
    """
    data, source = content(path)
    names = schema.names if schema else [label] if label else []
    if data.startswith(PARQUET):
        table = read_parquet(data, source)
        target, places, words = _columns(table.names, True, source, label, schema)
        return Read(table.with_words(words), target, places, [])
    text, notes = decoded(data, source)
    del data
    layout = layout_of(text, source, names=names)
    target, places, words = _columns(layout.names, layout.header, source, label, schema)
    if schema:
        numbers = {*places} - words
        table, wrong = read_known(text, source, layout, numbers=numbers, words=words)
    else:
        table, wrong = read_text(text, source, layout, words=words), []
    return Read(replace(table, notes=notes), target, places, wrong)


def is_parquet(path: str | Path) -> bool:
    """Whether a file is Parquet, by its first bytes."""
    return _head(path)[:4] == PARQUET


def is_table(path: str | Path) -> bool | None:
    """Whether a name says which column of a text is the target; None if it cannot be a table.

    Not a table is what has as many columns as a label and a square picture.
    """
    head = _head(path)
    if not head or head.startswith((ZIP, PARQUET)) or b"\0" in head:
        return None
    try:
        layout = layout_of(decoded(head, str(path))[0], str(path))
    except DataError:
        return None
    width = len(layout.names)
    if width < 2 or any(
        width - more >= SMALLEST_PICTURE and isqrt(width - more) ** 2 == width - more
        for more in (0, 1, 2)
    ):
        return None
    try:
        find_target(layout.names, "", str(path))
    except DataError:
        return False
    return True


def names_a_table(path: str | Path) -> bool:
    """Whether a file's name is that of a table."""
    return str(path).lower().endswith(SUFFIXES)


def _head(path: str | Path) -> bytes:
    """The first bytes of an ordinary file, to its last whole line; nothing of what is none."""
    path = expanded(path)
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            head = file.read(HEAD)
            if head.startswith(GZIP):
                head = zlib.decompressobj(31).decompress(head, HEAD)
    except (OSError, ValueError, zlib.error):
        return b""
    return head[: head.rfind(b"\n") + 1] or head


def _columns(
    names: tuple[str, ...], header: bool, source: str, label: str, schema: Schema | None
) -> tuple[int | None, list[int], set[int]]:
    """(place of the target, places of the schema's columns, places of words)."""
    if schema is None:
        target = find_target(names, label, source)
        return target, [], {target}
    places = places_of(names, header, source, schema)
    words = {
        place for column, place in zip(schema.columns, places, strict=True) if column.categories
    }
    if header and schema.header:
        at = names.index(schema.target) if schema.target in names else None
    else:
        at = schema.target_place if len(names) == schema.width else None
    return at, places, words if at is None else words | {at}


def content(path: Path) -> tuple[bytes, str]:
    """(bytes of a table, unpacked; its name)."""
    source = str(path)
    data = read_file(path, LARGEST_FILE)
    if data.startswith(GZIP):
        data = gunzip(data, LARGEST_FILE, source)
    if data.startswith(ZIP):
        if len(data) > LARGEST_NPZ:
            raise DataError(
                f"{source} has {len(data):,} bytes and at most {LARGEST_NPZ:,} are read."
            )
        with open_zip(data, source) as archive:
            members = [one for one in archive.namelist() if one.lower().endswith(SUFFIXES)]
            if len(members) != 1:
                raise DataError(
                    f"{source} holds {len(members)} tables; unpack it, and give the path of one."
                )
            return zip_member(archive, members[0], cap=LARGEST_FILE, name=source), (
                f"{source}, {members[0]}"
            )
    if b"\0" in data[:4096] and not data.startswith((PARQUET, b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{source} is no table of text; give CSV or Parquet.")
    return data, source
