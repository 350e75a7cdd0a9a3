"""Files of a given size, one of each kind that is read."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from chainrule.core.tensor_file import write_sealed
from chainrule.nn.model_file import save
from chainrule.nn.network import Network
from chainrule.training.checkpoint import FORMAT, HISTORY
from chainrule.training.state import Progress

ROWS = 128
"""Rows that are repeated until a table is large enough."""
PIXELS = 784
ROOM = 4096
"""Bytes for a header."""


def pixels() -> np.ndarray:
    """Random pictures (ROWS, PIXELS) of bytes; half of the pixels are black."""
    rng = np.random.default_rng(0)
    return (rng.integers(0, 256, (ROWS, PIXELS)) * rng.integers(0, 2, (ROWS, PIXELS))).astype("u1")


def lines(values: np.ndarray, form: str) -> bytes:
    """Rows of a CSV file, label first."""
    first = form if "e" in form else "%d"
    text = (
        ",".join([first % (number % 10), *(form % value for value in row)])
        for number, row in enumerate(values)
    )
    return ("\n".join(text) + "\n").encode("ascii")


def repeated(block: bytes, size: int) -> Iterator[bytes]:
    """The block again and again, whole ones only, to at most this size."""
    for _ in range(size // len(block)):
        yield block


def table(path: Path, size: int, values: np.ndarray, form: str) -> int:
    """Writes a CSV file; returns its bytes."""
    with path.open("wb") as file:
        file.writelines(repeated(lines(values, form), size))
    return path.stat().st_size


def csv(path: Path, size: int) -> int:
    """CSV of whole numbers."""
    return table(path, size, pixels(), "%d")


def fractions(path: Path, size: int) -> int:
    """CSV of fractions with three places."""
    return table(path, size, pixels() / 255, "%.3f")


def scientific(path: Path, size: int) -> int:
    """CSV of fractions as NumPy's savetxt writes them."""
    return table(path, size, pixels() / 255, "%.18e")


def gzipped(path: Path, size: int) -> int:
    """Gzipped CSV of whole numbers; its size is that of what is in it."""
    block = lines(pixels(), "%d")
    with gzip.open(path, "wb", compresslevel=1) as file:
        for piece in repeated(block, size):
            file.write(piece)
    return size // len(block) * len(block)


def parts(size: int, dtype: type[np.generic]) -> list[np.ndarray]:
    """Four arrays of this size together: images and labels to train and to test on."""
    rows = size // (PIXELS * np.dtype(dtype).itemsize + 8)
    values = pixels() if dtype is np.uint8 else (pixels() / 255).astype(dtype)
    images = np.resize(values, (rows, 28, 28))
    labels = np.arange(rows) % 10
    cut = rows * 6 // 7
    return [images[:cut], labels[:cut], images[cut:], labels[cut:]]


def npz(path: Path, size: int, dtype: type[np.generic] = np.uint8) -> int:
    """Keras' npz, of bytes."""
    x_train, y_train, x_test, y_test = parts(size - ROOM, dtype)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path.stat().st_size


def npz_of_fractions(path: Path, size: int) -> int:
    """Keras' npz, of float32."""
    return npz(path, size, np.float32)


def pickled(path: Path, size: int) -> int:
    """Pickle of two pairs, of float32."""
    x_train, y_train, x_test, y_test = parts(size - ROOM, np.float32)
    with path.open("wb") as file:
        pickle.dump(((x_train, y_train), (x_test, y_test)), file, protocol=4)
    return path.stat().st_size


def idx(path: Path, size: int) -> int:
    """IDX images; the labels lie beside them."""
    rows = (size - 16) // PIXELS
    with path.open("wb") as file:
        file.write(bytes((0, 0, 8, 3)) + np.array([rows, 28, 28], ">u4").tobytes())
        file.write(np.resize(pixels(), (rows, PIXELS)).data)
    labels = (np.arange(rows) % 10).astype(np.uint8).tobytes()
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    path.with_name(name).write_bytes(bytes((0, 0, 8, 1)) + np.array(rows, ">u4").tobytes() + labels)
    return path.stat().st_size


def picture(path: Path, size: int) -> int:
    """PNG of noise in colours with transparency: no picture of its size takes more bytes."""
    side = int(((size - ROOM) / 4.01) ** 0.5)
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 4), np.uint8)
    Image.fromarray(noise).save(path, "png", compress_level=1)
    return path.stat().st_size


def model(path: Path, size: int) -> int:
    """Model file of two layers."""
    width = (size - ROOM) // (4 * (PIXELS + 11))
    save(Network.dense((PIXELS, width, 10), rng=np.random.default_rng(0)), path)
    return path.stat().st_size


def checkpoint(path: Path, size: int) -> int:
    """Checkpoint with the arrays of Adam."""
    count = (size - ROOM) // 12
    values = np.random.default_rng(0).random(count, np.float32)
    names = ("parameters", "optimizer.m", "optimizer.v")
    history = np.frombuffer(b"[]", np.uint8)
    words = {"settings": "{}", "checksums": "{}", "numerics": "{}"}
    progress = json.dumps(Progress(step=1).numbers())
    arrays = dict.fromkeys(names, values) | {HISTORY: history}
    write_sealed(path, arrays, words | {"format": FORMAT, "progress": progress})
    return path.stat().st_size


MAKERS: dict[str, tuple[str, Callable[[Path, int], int]]] = {
    "csv": ("data.csv", csv),
    "csv of fractions": ("data.csv", fractions),
    "csv of savetxt": ("data.csv", scientific),
    "gzip": ("data.csv.gz", gzipped),
    "npz": ("data.npz", npz),
    "npz of fractions": ("data.npz", npz_of_fractions),
    "pickle": ("data.pkl", pickled),
    "idx": ("train-images-idx3-ubyte", idx),
    "picture": ("picture.png", picture),
    "model": ("model.safetensors", model),
    "checkpoint": ("step-000000001.safetensors", checkpoint),
}
"""Kind of file -> (its name, how it is made: returns its bytes, unpacked)."""
