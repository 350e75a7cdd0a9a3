"""Request bodies for predictions: raw rows and JSON; they become pixels in 0..1.

Raw rows are one byte a pixel, 0 black to 255 white. Numbers in JSON are fractions 0..1, unless an
image has one above 1: then all of that image are whole numbers 0..255. Anything else is refused
with one sentence. Pictures are read in `pictures`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

import numpy as np
import orjson

from chainrule.core.arrays import Array, Float
from chainrule.core.schema import Schema
from chainrule.data.dataset import DIGITS
from chainrule.nn.model_file import Model
from chainrule.nn.preprocessing import MNIST, Preprocessing
from chainrule.service.batcher import Pixels
from chainrule.service.refusal import RequestError
from chainrule.service.table_rows import read_cells

MOST_IMAGES = 1024
"""Most images in one request."""
MOST_LISTS = 2048
"""Most lists and strings of JSON that are parsed for any network."""


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
    schema: Schema | None = None
    """Of a table, whose rows are asked for instead of images."""

    @classmethod
    def of(cls, model: Model) -> Form:
        """Input form of a model."""
        return cls(model.inputs, model.shape, model.labels == DIGITS, model.form, model.schema)

    def as_json(self) -> dict[str, Any]:
        """Its fields, for the process that reads bodies."""
        return asdict(self) | {
            "pictures": self.pictures and self.pictures.as_json(),
            "schema": self.schema and self.schema.as_json(),
        }

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Form:
        """Form from what `as_json` gave."""
        pictures = found["pictures"] and Preprocessing.from_json(found["pictures"])
        schema = found["schema"] and Schema.from_json(found["schema"])
        height, width = found["shape"]
        return cls(found["inputs"], (height, width), found["digits"], pictures, schema)

    def most_images(self, size: int) -> int:
        """Most images in a JSON body of that many bytes: each number takes two."""
        numbers = len(self.schema.columns) if self.schema else self.inputs
        return min(MOST_IMAGES, size // (2 * numbers) + 1)

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
    """Images from JSON {"images": [...]}, each a list of numbers, or a list of rows of numbers.

    For a network of a table its rows, see `table_rows`.
    """
    if form.schema:
        return Asked(read_cells(body, form.schema))
    check_lists(body, form)
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


def check_lists(body: bytes, form: Form) -> None:
    """Raises RequestError for more lists and strings than images have, before they are made."""
    most = max(MOST_LISTS, 4 + form.most_images(len(body)) * (form.shape[0] + 1))
    found = sum(body.count(sign) for sign in (b"[", b"{", b'"'))
    if found > most:
        raise RequestError(
            422,
            f"the body has {found:,} lists and strings: images of {form} numbers have at most "
            f"{most:,} in {len(body):,} bytes",
        )


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
    if kinds := set(map(type, image)) - {int, float}:
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
