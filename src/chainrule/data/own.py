"""Own data: what a path holds, made a data set, after looking at its labels and its pixels.

What a person should know is said: what was taken for label and white, what was left out, which
classes are missing. Data from which nothing could be learned are refused.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from chainrule.core.errors import DataError
from chainrule.core.files import expanded
from chainrule.core.tables import nearest
from chainrule.data.catalog import SOURCES
from chainrule.data.dataset import HELD_OUT, Dataset, Found, Part, assemble, hold_out
from chainrule.data.labels import Labelled, first_number, label
from chainrule.data.readers.formats import read
from chainrule.data.readers.values import to_bytes, white_of
from chainrule.data.remarks import absent, named


def from_path(
    path: str | Path,
    test_path: str | Path | None,
    given: tuple[str, ...],
    default: tuple[str, ...],
    *,
    split: bool,
    white: int,
) -> Dataset:
    """Data set in the files of these paths; the arguments are those of `load`.

    `given` are the names of the classes, `default` those that labels below their number have
    without.
    """
    path = expanded(path)
    close = nearest(str(path), SOURCES)
    if close and not path.exists():
        raise DataError(
            f"{path} does not exist: did you mean {close}? Else give the path of a data file or "
            "folder."
        )
    found, source = _found(path, test_path, given, default, white)
    train, test, classes, note = _labelled(found, path, given, default)
    train, test, white = _on_one_scale(train, test, found.white, given=white)
    notes = [*found.notes, *train.notes, *([note] if note else [])]
    if white < 255:
        notes.append(f"no pixel is above {white}, which is taken as white")
    _check_learnable(train, classes, source, alone=test is None and not split)
    if test is None and not split:
        test = train
    elif test is None:
        train, test = hold_out(train)
        source = f"{path}, 1 example in {HELD_OUT} of each class held out as test"
    dataset = assemble(train, test, name=path.stem, classes=classes, source=source)
    notes += absent(dataset)
    for name, known in SOURCES.items():
        if dataset.checksums == known.arrays:
            return replace(dataset, name=name, published=True)
    return replace(dataset, white=white, notes=tuple(notes))


def _found(
    path: Path,
    test_path: str | Path | None,
    given: tuple[str, ...],
    default: tuple[str, ...],
    white: int,
) -> tuple[Found, str]:
    """(contents of both paths together, the source in words)."""
    found = read(path, classes=_count(given), white=white)
    if test_path is None:
        return found, str(path)
    highest = max(int(found.train.labels.max()) + 1, len(default))
    other = read(expanded(test_path), classes=_count(given) or highest, like=found)
    if other.classes != found.classes:
        raise DataError(
            f"{path} has the classes {found.classes} and {test_path} {other.classes}; give "
            "both the same sub-folders."
        )
    if 255 < found.white < other.white:
        raise DataError(
            f"{test_path}: its pictures hold numbers up to {other.white:,}, and those of {path} up "
            f"to {found.white:,}; give both in one range."
        )
    notes = [f"{path} has a test part of its own, which is left out"] if found.test else []
    if other.test:
        notes.append(f"of {test_path} only the test part is used")
    test = other.test or other.train
    both = found._replace(test=test, notes=(*found.notes, *notes, *other.notes))
    return both, f"{path}, test {test_path}"


def _count(given: tuple[str, ...]) -> int | None:
    """The number that all labels are below; None where the labels themselves decide."""
    return (first_number(given) or 0) + len(given) if given else None


def _labelled(
    found: Found, path: Path, given: tuple[str, ...], default: tuple[str, ...]
) -> Labelled:
    if found.classes is None:
        return label(found.train, found.test, given, default, str(path))
    classes = given or found.classes
    if len(classes) != len(found.classes):
        raise DataError(
            f"{path} has {len(found.classes)} sub-folders, and classes= names {len(classes)}; name "
            "each of them, in the order of their names."
        )
    return Labelled(found.train, found.test, classes, "")


def _on_one_scale(
    train: Part, test: Part | None, white: int, *, given: int
) -> tuple[Part, Part | None, int]:
    """Both parts with bytes 0..255 where they have fewer levels, and the white of the files."""
    parts = [part for part in (train, test) if part is not None]
    if any(part.images.dtype != np.uint8 for part in parts):
        return train, test, white
    few = white_of(part.images for part in parts)
    few = given if few < given <= 255 else few
    if few == 255:
        return train, test, white
    train, *others = (part._replace(images=to_bytes(part.images, few)) for part in parts)
    return train, others[0] if others else None, few


def _check_learnable(train: Part, classes: tuple[str, ...], source: str, *, alone: bool) -> None:
    """Raises DataError where nothing could be learned; `alone`: they are only measured on."""
    if len(train.images) > 1 and (train.images == train.images[:1]).all():
        level = float(train.images[0].max())
        what = "black" if level == 0 else "the same"
        raise DataError(
            f"{source}: all {len(train.images):,} images are {what}, so there is nothing to learn; "
            "is it the right file, and are its pixels those of the images?"
        )
    there = np.unique(train.labels)
    if len(there) == 1 and not alone:
        raise DataError(
            f"{source}: all {len(train.labels):,} labels are the same, "
            f"{named(there.tolist(), classes)}, so there is nothing to learn; bring examples of "
            "other classes, or name the column of the labels in a first line, such as label,a,b."
        )
