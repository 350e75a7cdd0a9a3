"""PNG and JPEG images as grey arrays: single files, or a folder with a sub-folder per class."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from chainrule.core.arrays import Array, UInt8
from chainrule.core.errors import DataError
from chainrule.core.quiet import without_warnings
from chainrule.data.dataset import MOST_CLASSES, Found, Part
from chainrule.data.readers.archives import MIB, read_file
from chainrule.data.readers.metadata import bare
from chainrule.data.readers.values import to_bytes, white_of

SUFFIXES = (".png", ".jpg", ".jpeg")
LARGEST_PICTURE = 64 * MIB
LARGEST_SIDE = 4096
MOST_PIXELS = 4 * MIB
"""Pixels of a picture in a data set, and of a photo after reduction."""
MOST_PNG_PIXELS = 16 * MIB
"""A JPEG can be decoded at an eighth of its size, a PNG only at full size."""
MOST_SCANS = 32
MOST_SCANNED = 320 * MIB
"""Pixels times scans: every scan of a progressive JPEG, however short, visits every pixel."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its orientation in EXIF."""
MOST_FILES = 1_000_000
LARGEST_FOLDER = 1024 * MIB
"""Pixels in one data set."""
TRAIN_NAMES, TEST_NAMES = ("train", "training"), ("test", "testing")
VALIDATION_NAMES = ("val", "valid", "validation")


def read_picture(path: Path, *, side: int = LARGEST_SIDE, pixels: int = MOST_PIXELS) -> Image.Image:
    """Reads a PNG or JPEG, turned upright by its EXIF tag; its size is checked before decoding.

    One of more than MOST_PIXELS is averaged down. Raises DataError if it is neither, is damaged,
    or has a side, a number of pixels or of scans above the limits.
    """
    return decode_picture(read_file(path, LARGEST_PICTURE), str(path), side=side, pixels=pixels)


def decode_picture(data: bytes, name: str, *, side: int, pixels: int) -> Image.Image:
    """Decodes the bytes of a PNG or JPEG, as `read_picture` does; `name` is for errors."""
    # Pillow's warnings (sizes, odd metadata) are either refused here or irrelevant.
    with without_warnings():
        try:
            plain = bare(data, name)
            image = Image.open(io.BytesIO(plain.data), formats=["PNG", "JPEG"])
            width, height = image.size
            most = min(pixels, MOST_PNG_PIXELS) if image.format == "PNG" else pixels
            if max(width, height) > side or width * height > most:
                raise DataError(
                    f"{name} is {width}x{height}, and at most {side} a side and {most:,} pixels "
                    "are read; make it smaller."
                )
            _check_scans(plain.scans, width * height, name)
            # A JPEG can be decoded at a half, a quarter or an eighth at once.
            image.draft(None, (2048, 2048))
            image.load()
            picture = _reduced(_without_palette(image))
            turn = TURNS.get(plain.orientation)
            return picture if turn is None else picture.transpose(turn)
        except (DataError, MemoryError):
            raise
        except Image.DecompressionBombError:
            raise DataError(
                f"{name} is far too large: at most {side} a side and {pixels:,} pixels are read; "
                "make it smaller."
            ) from None
        except Exception as error:
            # Damaged pictures make Pillow raise a dozen kinds of error.
            what = str(error) or type(error).__name__
            if isinstance(error, UnidentifiedImageError):
                what = "its first bytes are of neither"
            raise DataError(f"{name} is not a whole PNG or JPEG picture: {what}.") from None


def _check_scans(scans: int, pixels: int, name: str) -> None:
    if scans > MOST_SCANS or scans * pixels > MOST_SCANNED:
        raise DataError(
            f"{name} has {pixels:,} pixels in {scans} scans, which takes too long; save it as a "
            "plain JPEG."
        )


def _reduced(image: Image.Image) -> Image.Image:
    """Averaged down to at most MOST_PIXELS; a smaller image is returned as it is."""
    factor = math.ceil(math.sqrt(image.width * image.height / MOST_PIXELS))
    if factor < 2:
        return image
    if image.mode == "1" or image.mode.startswith("I;"):
        image = image.convert("L" if image.mode == "1" else "I")
    return image.reduce(factor)


def _without_palette(image: Image.Image) -> Image.Image:
    """Converts a palette to colours; Pillow raises if a pixel's colour is not in the palette."""
    if image.mode not in ("P", "PA"):
        return image
    return image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")


def grey(image: Image.Image, *, white: int = 0) -> UInt8[Array, "h w"]:
    """Brightness 0..255 of a picture in any mode.

    `white` is the number that stands for white in pictures like this one, as `Dataset.white` of the
    data that a network learned from: 65,535 or 4,095, say, in 16 bits. 0: measured on this picture,
    whose 16 bits may hold fewer; 8 bits are then 0..255.

    Transparent areas take the colour that contrasts with the drawing: white under dark ink, black
    under light ink.
    """
    pixels = levels(image)
    return to_bytes(pixels, white or (white_of([pixels]) if pixels.itemsize == 2 else 255))


def levels(image: Image.Image) -> Array:
    """Brightness of a picture as its file has it: bytes, or the numbers of a picture of 16 bits."""
    if image.mode.startswith("I"):
        return np.asarray(image).clip(0, 65_535).astype(np.uint16)
    if image.mode == "F":
        raise DataError("a picture of floating-point values, and 8 or 16 bits are read")
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        try:
            layers = np.asarray(image.convert("RGBA").convert("LA"), np.float64)
        except (TypeError, ValueError):
            # A colour picture whose transparent colour is given as in a palette.
            raise DataError(
                "a picture whose transparency does not fit its colours; save it again"
            ) from None
        brightness, cover = layers[..., 0], layers[..., 1] / 255
        ink = (brightness * cover).sum() / max(cover.sum(), 1e-9)
        paper = 255.0 if ink < 128 else 0.0
        return np.rint(brightness * cover + paper * (1 - cover)).astype(np.uint8)
    return np.asarray(image.convert("L"))


def read_folder(folder: Path, *, white: int = 0) -> Found:
    """Reads a folder of pictures: a sub-folder for each class, or those in train/ and test/.

    The names of the sub-folders, sorted, are the classes; pictures in val/ are trained on too.
    `white` as in `grey`, 0: measured on all of them. Raises DataError if a file is not a picture,
    two differ in size, a link leads out, or train/ and test/ have different classes.
    """
    inside = {entry.name.lower(): entry for entry in entries(folder) if entry.is_dir()}
    halves = [
        [inside[name] for name in names if name in inside]
        for names in (TRAIN_NAMES, TEST_NAMES, VALIDATION_NAMES)
    ]
    train, test, validation = halves
    if len(train) != 1 or len(test) != 1 or len(inside) != sum(map(len, halves)):
        train, test, validation = [folder], [], []
    parts = [_read_classes(half, folder.resolve()) for half in (*train, *validation, *test)]
    first = parts[0]
    for half, part in zip((*validation, *test), parts[1:], strict=True):
        _check_alike(folder, train[0], first, half, part)
    deep = [image for part in parts for image in part.images if image.itemsize == 2]
    white = max(white, 255, white_of(deep) if deep else 0)
    beside = [] if train == [folder] else [e for e in entries(folder) if not e.is_dir()]
    beside += [file for part in parts for file in part.others]
    notes = [f"left out: {file}, beside the sub-folders" for file in beside]
    if validation:
        notes.append(f"the pictures in {validation[0].name}/ are trained on too")
    if deep:
        notes.append(f"the pictures of 16 bits hold numbers up to {white:,}, which is white")
    learned = parts[: len(train) + len(validation)]
    return Found(
        _joined(learned, white),
        _joined(parts[-1:], white) if test else None,
        first.classes,
        white,
        tuple(notes),
    )


class _Pictures(NamedTuple):
    """Pictures of a folder with a sub-folder for each class, as their files have them."""

    images: list[Array]
    labels: list[int]
    classes: tuple[str, ...]
    others: list[Path]
    """Files beside the sub-folders that are not pictures."""


def _joined(parts: Sequence[_Pictures], white: int) -> Part:
    images = [to_bytes(image, white) for part in parts for image in part.images]
    return Part(np.stack(images), np.array([k for part in parts for k in part.labels], np.int64))


def _check_alike(folder: Path, train: Path, one: _Pictures, half: Path, other: _Pictures) -> None:
    """Raises DataError unless two parts have the same classes, and pictures of one size."""
    if one.classes != other.classes:
        lone = sorted(set(one.classes) ^ set(other.classes))
        raise DataError(
            f"{folder}: the classes {', '.join(lone[:5])} are in one of {train.name}/ and "
            f"{half.name}/ only; give both the same sub-folders."
        )
    size, another = one.images[0].shape, other.images[0].shape
    if size != another:
        raise DataError(
            f"{folder}: pictures of {train.name}/ are {size}, of {half.name}/ {another}."
        )


def entries(folder: Path) -> list[Path]:
    """Entries of a folder, sorted, without hidden files and those of operating systems."""
    hidden = ("thumbs.db", "desktop.ini", "__macosx")
    try:
        found = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}; check the path.") from None
    return sorted(entry for entry in found if entry.name.lower() not in hidden)


def _read_classes(folder: Path, root: Path) -> _Pictures:
    inside = entries(folder)
    classes = [entry for entry in inside if entry.is_dir()]
    others = [entry for entry in inside if not entry.is_dir()]
    for entry in others:
        if entry.suffix.lower() in SUFFIXES:
            raise DataError(
                f"{entry} lies beside the sub-folders of the classes; move it into one of them."
            )
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise DataError(
            f"{folder} has {len(classes)} sub-folders, and 2 to {MOST_CLASSES} are read: one for "
            "each class, with its PNG or JPEG pictures."
        )
    images: list[Array] = []
    labels: list[int] = []
    for label, entry in enumerate(classes):
        files = entries(entry)
        if not files:
            raise DataError(f"{entry} is empty; put pictures of its class in, or remove it.")
        for file in files:
            images.append(_read_one(file, root, images))
            labels.append(label)
    return _Pictures(images, labels, tuple(entry.name for entry in classes), others)


def _read_one(file: Path, root: Path, before: list[Array]) -> Array:
    if not file.resolve().is_relative_to(root):
        raise DataError(f"{file} is a link that leads out of {root}; copy the picture itself.")
    if file.suffix.lower() not in SUFFIXES:
        raise DataError(f"{file} is not a PNG or JPEG picture; convert or remove it.")
    image = levels(read_picture(file))
    if before and image.shape != before[0].shape:
        (height, width), (rows, columns) = image.shape, before[0].shape
        raise DataError(
            f"{file} is {width}x{height}, and the pictures before it {columns}x{rows}; bring all "
            "to one size."
        )
    if len(before) >= MOST_FILES or (len(before) + 1) * image.size > LARGEST_FOLDER:
        raise DataError(
            f"{root} holds more than {MOST_FILES:,} pictures or {LARGEST_FOLDER:,} pixels; "
            "split it."
        )
    return image
