"""Request bodies for predictions: raw rows, JSON, or pictures; all become pixels in 0..1.

Raw rows are one byte a pixel, 0 black to 255 white. Numbers in JSON are fractions 0..1, unless an
image has one above 1: then all of that image are whole numbers 0..255. Pictures are brought into
the form of the network's training images, see `chainrule.digits`; if its classes are digits each
digit found is an image of its own. Anything else is refused with one sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import orjson

from chainrule.core.arrays import Array, Float
from chainrule.core.errors import DataError
from chainrule.data.dataset import DIGITS
from chainrule.data.readers.archives import MIB
from chainrule.data.readers.images import decode_picture
from chainrule.digits.preprocess import seen_by
from chainrule.nn.model_file import Model
from chainrule.nn.preprocessing import MNIST, Preprocessing
from chainrule.service.batcher import Pixels

MOST_IMAGES = 1024
"""Most images in one request."""
MOST_PICTURES = 64
"""Most pictures in one request: each takes milliseconds, not microseconds."""
MOST_PIXELS = 4 * MIB
"""Most pixels of one picture."""
MOST_PIXELS_IN_ALL = 16 * MIB
"""Most pixels of all pictures in a request."""
LARGEST_SIDE = 16_384


class RequestError(Exception):
    """Refusal of a request: a status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status, *self.args), vars(self)


@dataclass(frozen=True)
class Form:
    """Input form of a network: number of pixels, shape, digits or not."""

    inputs: int
    shape: tuple[int, int]
    """Height and width; (0, 0): unknown."""
    digits: bool = True
    """True if its classes are the digits."""
    pictures: Preprocessing | None = MNIST
    """Form of the training images, into which pictures are brought; None: unknown."""

    @classmethod
    def of(cls, model: Model) -> Form:
        """Input form of a model."""
        return cls(model.inputs, model.shape, model.labels == DIGITS, model.form)

    def __str__(self) -> str:
        height, width = self.shape
        return f"{self.inputs} ({height} x {width})" if height else str(self.inputs)


@dataclass(frozen=True)
class Asked:
    """Images of a request, and where in its pictures they were."""

    images: Pixels
    places: tuple[dict[str, Any], ...] = ()
    """For each image: the index of its picture, and its box there."""


def read_rows(body: bytes, form: Form) -> Asked:
    """Images from a body of one byte a pixel, concatenated."""
    count, rest = divmod(len(body), form.inputs)
    if rest or not count:
        raise RequestError(
            422,
            f"a body of {len(body):,} bytes is not a whole number of images: the network takes "
            f"{form} bytes for each",
        )
    check_count(count)
    return Asked(np.frombuffer(body, np.uint8).reshape(count, form.inputs))


def check_count(count: int) -> None:
    """Raises RequestError for too many images."""
    if count > MOST_IMAGES:
        raise RequestError(
            413, f"{count:,} images: at most {MOST_IMAGES:,} are accepted, send several requests"
        )


def read_json(body: bytes, form: Form) -> Asked:
    """Images from JSON {"images": [...]}, each a list of numbers, or a list of rows of numbers."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"the body is not JSON: {error}") from None
    if not isinstance(given, dict) or set(given) != {"images"}:
        raise RequestError(422, 'the body must be {"images": [...]} and nothing else')
    images = given["images"]
    if not isinstance(images, list) or not images:
        raise RequestError(422, '"images" must be a list of at least one image')
    check_count(len(images))
    return Asked(np.stack([pixels_of(image, n, form) for n, image in enumerate(images)]))


def pixels_of(image: Any, number: int, form: Form) -> Float[Array, " n"]:
    """Pixels of one image in JSON; `number` is its index in the list, for error messages."""
    what = f"image {number}"
    if not isinstance(image, list):
        raise RequestError(
            422, f"{what} is not a list of numbers: the network takes {form} of them"
        )
    if image and isinstance(image[0], list):
        sides = {len(row) if isinstance(row, list) else -1 for row in image}
        if any(form.shape) and (len(image), sides) != (form.shape[0], {form.shape[1]}):
            raise RequestError(
                422,
                f"{what} has {len(image)} rows of {sorted(sides)[-1]} numbers: the network takes "
                f"{form.shape[0]} rows of {form.shape[1]}",
            )
        if -1 in sides:
            raise RequestError(422, f"{what} has rows and numbers side by side: give one of them")
        image = list(chain.from_iterable(image))
    if len(image) != form.inputs:
        raise RequestError(422, f"{what} has {len(image)} numbers: the network takes {form}")
    if kinds := {type(value) for value in image} - {int, float}:
        name = min(kind.__name__ for kind in kinds)
        raise RequestError(422, f"{what} has a {name} among its pixels: only numbers are accepted")
    pixels = np.array(image, np.float64)
    lowest, highest = float(pixels.min()), float(pixels.max())
    if lowest < 0 or highest > 255:
        wrong = lowest if lowest < 0 else highest
        raise RequestError(
            422, f"{what} has the value {wrong:g}: give fractions 0..1 or whole numbers 0..255"
        )
    if highest <= 1:
        return pixels.astype(np.float32)
    if (broken := pixels != np.rint(pixels)).any():
        raise RequestError(
            422,
            f"{what} has the values {highest:g} and {float(pixels[broken][0]):g}: give fractions "
            "0..1 or whole numbers 0..255, not both in one image",
        )
    return pixels.astype(np.float32) / np.float32(255)


def read_pictures(files: Sequence[tuple[str, bytes]], form: Form) -> Asked:
    """Images from PNG and JPEG files, (name, content) each. Slow: call it in a thread.

    One that cannot be read refuses them all, as an answer without it could be taken for all; the
    refusal names each of these.
    """
    if not files:
        raise RequestError(422, "the request has no picture: send at least one PNG or JPEG file")
    if len(files) > MOST_PICTURES:
        raise RequestError(
            413,
            f"{len(files):,} pictures: at most {MOST_PICTURES} are accepted, send several requests",
        )
    if not any(form.shape):
        raise RequestError(
            422,
            "the height and width of the network's images are unknown: send raw rows of "
            f"{form.inputs} bytes instead of pictures",
        )
    images: list[Array] = []
    places: list[dict[str, Any]] = []
    refusals: list[str] = []
    pixels = 0
    for number, (name, content) in enumerate(files):
        try:
            picture = decode_picture(content, "it", side=LARGEST_SIDE, pixels=MOST_PIXELS)
            pixels += picture.width * picture.height
            if pixels > MOST_PIXELS_IN_ALL:
                raise RequestError(
                    413, f"pictures of more than {MOST_PIXELS_IN_ALL:,} pixels in all: split them"
                )
            seen = seen_by(picture, form.shape, form.pictures, digits=form.digits)
            notes = {"notes": seen.notes} if seen.notes else {}
            for digit in seen.digits:
                images.append(digit.pixels)
                places.append({"picture": number, "box": digit.box} | notes)
        except DataError as error:
            refusals.append(f"{name}: {' '.join(str(error).split())}")
    if refusals:
        raise RequestError(422, "; ".join(refusals))
    check_count(len(images))
    return Asked(np.stack(images).reshape(len(images), form.inputs), tuple(places))
