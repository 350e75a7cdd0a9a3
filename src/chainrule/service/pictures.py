"""Pictures in requests: PNG and JPEG files, each with one image or several for the network.

Pictures are brought into the form of the network's training images, see `chainrule.digits`; if its
classes are digits each digit found is an image of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float
from chainrule.core.errors import DataError
from chainrule.data.readers.archives import MIB
from chainrule.data.readers.images import decode_picture
from chainrule.digits.preprocess import TooManyDigitsError, seen_by
from chainrule.service.refusal import RequestError
from chainrule.service.requests import MOST_IMAGES, Asked, Form

MOST_PICTURES = 64
"""Most pictures in one request: each takes milliseconds, not microseconds."""
MOST_PIXELS = 4 * MIB
"""Most pixels of one picture."""
MOST_PIXELS_IN_ALL = 16 * MIB
"""Most pixels of all pictures in a request."""
LARGEST_SIDE = 16_384

File: TypeAlias = tuple[str, bytes]
"""Name and content."""


class Look(NamedTuple):
    """What was seen on one picture."""

    images: Float[Array, "N n"]
    places: tuple[dict[str, Any], ...]
    """For each image its box, and notes if there are any."""
    pixels: int
    """Of the picture."""


def look_at(content: bytes, form: Form, *, images: int, pixels: int) -> Look:
    """Images on one picture, at most so many, if it has at most so many pixels.

    Raises RequestError above these limits, DataError where the picture cannot be read.
    """
    picture = decode_picture(content, "it", side=LARGEST_SIDE, pixels=MOST_PIXELS)
    size = picture.width * picture.height
    if size > pixels:
        raise RequestError(
            413, f"pictures of more than {MOST_PIXELS_IN_ALL:,} pixels in all: split them"
        )
    try:
        seen = seen_by(picture, form.shape, form.pictures, digits=form.digits, most=images)
    except TooManyDigitsError:
        raise RequestError(
            413, f"more than {MOST_IMAGES:,} digits in all: send the pictures in several requests"
        ) from None
    notes = {"notes": list(seen.notes)} if seen.notes else {}
    return Look(
        np.stack([digit.pixels for digit in seen.digits]).reshape(len(seen.digits), form.inputs),
        tuple({"box": list(digit.box)} | notes for digit in seen.digits),
        size,
    )


class Album:
    """Pictures of one request, looked at one after another.

    One that cannot be read refuses them all, as an answer without it could be taken for all; the
    refusal names each of these.
    """

    def __init__(self, files: Sequence[File], form: Form) -> None:
        """Raises RequestError for no picture, too many, or a network that takes none."""
        if not files:
            raise RequestError(
                422, "the request has no picture: send at least one PNG or JPEG file"
            )
        if len(files) > MOST_PICTURES:
            raise RequestError(
                413,
                f"{len(files):,} pictures: at most {MOST_PICTURES} are accepted, send several "
                "requests",
            )
        if not any(form.shape):
            raise RequestError(
                422,
                "the height and width of the network's images are unknown: send raw rows of "
                f"{form.inputs} bytes instead of pictures",
            )
        self.files = files
        self.images_left, self.pixels_left = MOST_IMAGES, MOST_PIXELS_IN_ALL
        self._images: list[Array] = []
        self._places: list[dict[str, Any]] = []
        self._refusals: list[str] = []

    def add(self, number: int, look: Look) -> None:
        """Takes what was seen on the picture of that number."""
        self._images.append(look.images)
        self._places += [{"picture": number} | place for place in look.places]
        self.images_left -= len(look.images)
        self.pixels_left -= look.pixels

    def refuse(self, number: int, why: str) -> None:
        """Notes that the picture of that number cannot be read."""
        self._refusals.append(f"{self.files[number][0]}: {' '.join(why.split())}")

    def asked(self) -> Asked:
        """Images of all pictures; RequestError if one could not be read."""
        if self._refusals:
            raise RequestError(422, "; ".join(self._refusals))
        return Asked(np.concatenate(self._images), tuple(self._places))


def read_pictures(files: Sequence[File], form: Form) -> Asked:
    """Images from PNG and JPEG files; RequestError if they are refused. Slow."""
    album = Album(files, form)
    for number, (_, content) in enumerate(files):
        try:
            left = {"images": album.images_left, "pixels": album.pixels_left}
            album.add(number, look_at(content, form, **left))
        except DataError as error:
            album.refuse(number, str(error))
    return album.asked()
