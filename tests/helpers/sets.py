"""Small sets of pictures of many forms: polarity, frame, size, noise, photographs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from chainrule.data.dataset import Found

N = 360


def digits(sample: Found) -> tuple[np.ndarray, np.ndarray]:
    return sample.train.images[:N], sample.train.labels[:N]


def black_on_white(sample: Found) -> tuple[np.ndarray, np.ndarray]:
    images, labels = digits(sample)
    return 255 - images, labels


def filling_24_pixels(sample: Found) -> tuple[np.ndarray, np.ndarray]:
    """Digits scaled until they fill 24 of the 28 pixels, their box in the middle."""
    images, labels = digits(sample)
    large = []
    for image in images:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        ink = Image.fromarray(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
        factor = 24 / max(ink.size)
        ink = ink.resize((max(1, round(ink.width * factor)), max(1, round(ink.height * factor))))
        field = Image.new("L", (28, 28), 0)
        field.paste(ink, ((28 - ink.width) // 2, (28 - ink.height) // 2))
        large.append(np.asarray(field))
    return np.stack(large), labels


def grey_paper_with_noise(sample: Found) -> tuple[np.ndarray, np.ndarray]:
    images, labels = digits(sample)
    noise = np.random.default_rng(1).normal(0, 4, images.shape)
    return (210 - images * 0.7 + noise).clip(0, 255).astype(np.uint8), labels


def of_either_polarity(sample: Found) -> tuple[np.ndarray, np.ndarray]:
    images, labels = digits(sample)
    turned = np.random.default_rng(2).random(len(images)) < 0.5
    return np.where(turned[:, None, None], 255 - images, images), labels


def anywhere_on_40_by_32(sample: Found) -> tuple[np.ndarray, np.ndarray]:
    images, labels = digits(sample)
    rng = np.random.default_rng(3)
    fields = np.zeros((len(images), 40, 32), np.uint8)
    for field, image in zip(fields, images, strict=True):
        row, column = rng.integers(13), rng.integers(5)
        field[row : row + 28, column : column + 28] = image
    return fields, labels


def arrows(sample: Found) -> tuple[np.ndarray, np.ndarray]:
    """Black arrows on white, of any size and place, that point left or right."""
    del sample
    rng = np.random.default_rng(4)
    labels = np.arange(N) % 2
    images = np.full((N, 28, 28), 255, np.uint8)
    for image, right in zip(images, labels, strict=True):
        side = int(rng.integers(3, 9))
        row, column = rng.integers(side, 28 - side), rng.integers(side, 28 - side)
        for k in range(side):
            at = column + k if right else column - k
            image[row - (side - k) + 1 : row + (side - k), at] = rng.integers(0, 60)
    return images, labels


def gradients(sample: Found) -> tuple[np.ndarray, np.ndarray]:
    """Photographs, so to speak: no background, no ink, three classes by where it is bright."""
    del sample
    rng = np.random.default_rng(5)
    labels = np.arange(N) % 3
    down, across = np.meshgrid(np.linspace(0, 1, 12), np.linspace(0, 1, 20), indexing="ij")
    ramps = np.stack([down, across, 1 - across])[labels]
    bright = 120 * ramps + 60 * rng.random((N, 1, 1)) + 40 * rng.random((N, 12, 20))
    return bright.astype(np.uint8), labels


def of_16_bits_up_to_4095(sample: Found) -> tuple[np.ndarray, np.ndarray]:
    images, labels = digits(sample)
    return images.astype(np.uint16) * 16 + images // 16, labels


def of_levels_0_to_16(sample: Found) -> tuple[np.ndarray, np.ndarray]:
    """As in scikit-learn's digits: 0..16 in bytes."""
    images, labels = digits(sample)
    return np.rint(images / 255 * 16).astype(np.uint8), labels


SETS: dict[str, Callable[[Found], tuple[np.ndarray, np.ndarray]]] = {
    each.__name__: each
    for each in (
        digits, black_on_white, filling_24_pixels, grey_paper_with_noise, of_either_polarity,
        anywhere_on_40_by_32, arrows, gradients, of_16_bits_up_to_4095, of_levels_0_to_16,
    )
}  # fmt: skip
