"""PNG and JPEG images as grey arrays: single files, or a folder with a sub-folder per class."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from chainrule.core.arrays import Array, UInt8
from chainrule.core.errors import DataError
from chainrule.core.quiet import without_warnings
from chainrule.data.dataset import MOST_CLASSES, Found, Part
from chainrule.data.readers.archives import MIB, read_file

SUFFIXES = (".png", ".jpg", ".jpeg")
LARGEST_PICTURE = 64 * MIB
LARGEST_SIDE = 4096
MOST_PIXELS = 4 * MIB
"""Pixels of a picture in a data set, and of a photo after reduction."""
MOST_PNG_PIXELS = 16 * MIB
"""A JPEG can be decoded at an eighth of its size, a PNG only at full size."""
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Within the coded pixels of a JPEG, FF is followed by 00 or a restart number."""
START_OF_SCAN, END_OF_IMAGE, TEMPORARY = b"\xff\xda", b"\xff\xd9", b"\xff\x01"
MOST_SCANS = 32
MOST_SCANNED = 320 * MIB
"""Pixels times scans: every scan of a progressive JPEG, however short, visits every pixel."""
MOST_FILES = 1_000_000
LARGEST_FOLDER = 1024 * MIB
"""Pixels in one data set."""
TRAIN_NAMES, TEST_NAMES = ("train", "training"), ("test", "testing")


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
            image = Image.open(io.BytesIO(data), formats=["PNG", "JPEG"])
            width, height = image.size
            most = min(pixels, MOST_PNG_PIXELS) if image.format == "PNG" else pixels
            if max(width, height) > side or width * height > most:
                raise DataError(
                    f"{name} is {width}x{height}, and at most {side} a side and {most:,} pixels "
                    "are read; make it smaller."
                )
            if image.format != "PNG":
                _check_scans(data, width * height, name)
            # A JPEG can be decoded at a half, a quarter or an eighth at once.
            image.draft(None, (2048, 2048))
            image.load()
            return ImageOps.exif_transpose(_reduced(_without_palette(image)))
        except DataError:
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


def _check_scans(data: bytes, pixels: int, name: str) -> None:
    """Counts the scans of a JPEG, marker by marker up to its end; DataError if too many."""
    at, scans = 2, 0
    while match := MARKER.search(data, at):
        at = match.end()
        if match[0] == END_OF_IMAGE:
            return
        scans += match[0] == START_OF_SCAN
        if scans > MOST_SCANS or scans * pixels > MOST_SCANNED:
            raise DataError(
                f"{name} has {pixels:,} pixels in {scans} scans or more, which takes too long; "
                "save it as a plain JPEG."
            )
        if match[0] != TEMPORARY:
            at += max(2, int.from_bytes(data[at : at + 2], "big"))


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


def grey(image: Image.Image) -> UInt8[Array, "h w"]:
    """Brightness 0..255 of a picture in any mode.

    Transparent areas take the colour that contrasts with the drawing: white under dark ink, black
    under light ink.
    """
    if image.mode.startswith("I"):
        return (np.asarray(image).astype(np.int64) // 256).clip(0, 255).astype(np.uint8)
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


def read_folder(folder: Path) -> Found:
    """Reads a folder of pictures: a sub-folder for each class, or those in train/ and test/.

    The names of the sub-folders, sorted, are the classes. Raises DataError if a file is not a
    picture, two differ in size, a link leads out, or train/ and test/ have different classes.
    """
    inside = {entry.name.lower(): entry for entry in entries(folder) if entry.is_dir()}
    train = [inside[name] for name in TRAIN_NAMES if name in inside]
    test = [inside[name] for name in TEST_NAMES if name in inside]
    if len(train) != 1 or len(test) != 1 or len(inside) != 2:
        part, classes = _read_classes(folder, folder.resolve())
        return Found(part, None, classes)
    parts = [_read_classes(half, folder.resolve()) for half in (train[0], test[0])]
    if parts[0][1] != parts[1][1]:
        lone = sorted(set(parts[0][1]) ^ set(parts[1][1]))
        raise DataError(
            f"{folder}: the classes {', '.join(lone[:5])} are in one of {train[0].name}/ and "
            f"{test[0].name}/ only; give both the same sub-folders."
        )
    size, other = parts[0][0].images.shape[1:], parts[1][0].images.shape[1:]
    if size != other:
        raise DataError(
            f"{folder}: pictures of {train[0].name}/ are {size}, of {test[0].name}/ {other}."
        )
    return Found(parts[0][0], parts[1][0], parts[0][1])


def entries(folder: Path) -> list[Path]:
    """Entries of a folder, sorted, without hidden files and those of operating systems."""
    hidden = ("thumbs.db", "desktop.ini", "__macosx")
    try:
        found = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}; check the path.") from None
    return sorted(entry for entry in found if entry.name.lower() not in hidden)


def _read_classes(folder: Path, root: Path) -> tuple[Part, tuple[str, ...]]:
    classes = entries(folder)
    for entry in classes:
        if not entry.is_dir():
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
    return Part(np.stack(images), np.array(labels, np.int64)), tuple(
        entry.name for entry in classes
    )


def _read_one(file: Path, root: Path, before: list[Array]) -> Array:
    if not file.resolve().is_relative_to(root):
        raise DataError(f"{file} is a link that leads out of {root}; copy the picture itself.")
    if file.suffix.lower() not in SUFFIXES:
        raise DataError(f"{file} is not a PNG or JPEG picture; convert or remove it.")
    image = grey(read_picture(file))
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
