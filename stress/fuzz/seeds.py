"""Seed corpus: small valid files of every kind, to be mutated, and to warm up the readers."""

from __future__ import annotations

import io
import pickle
import struct
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from chainrule.experiments.settings import Settings, as_toml
from chainrule.nn.committee import Committee
from chainrule.nn.model_file import Model, save
from chainrule.nn.network import Network
from chainrule.optim.optimizers import Adam
from chainrule.optim.schedules import Schedule
from chainrule.training.checkpoint import Checkpoint, write_checkpoint
from chainrule.training.state import Progress

MEMBERS = ("x_train", "y_train", "x_test", "y_test")


def arrays() -> tuple[Any, Any]:
    """(images (6, 3, 4) uint8, labels (6,))."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (6, 3, 4), np.uint8), rng.integers(0, 10, 6)


@cache
def idx() -> tuple[bytes, ...]:
    """Images and labels."""
    images, labels = arrays()
    return (
        struct.pack(">IIII", 0x803, *images.shape) + images.tobytes(),
        struct.pack(">II", 0x801, len(labels)) + labels.astype(np.uint8).tobytes(),
    )


@cache
def npz() -> tuple[tuple[bytes, bytes], ...]:
    """The members of Keras' mnist.npz."""
    images, labels = arrays()
    members = []
    for name in MEMBERS:
        stream = io.BytesIO()
        np.lib.format.write_array(stream, images if name.startswith("x") else labels)
        members.append((f"{name}.npy".encode(), stream.getvalue()))
    return tuple(members)


@cache
def pickles() -> tuple[bytes, ...]:
    """mnist.pkl in all protocols, with arrays and with lists for labels."""
    images, labels = arrays()
    flat = (images.reshape(6, 12) / np.float32(256)).astype(np.float32)
    pair = (flat[:2, :4], labels[:2])
    lists = (images[:2], labels[:2].tolist())
    return tuple(
        pickle.dumps(content, protocol)
        for content in ((pair, pair, pair), [lists, lists])
        for protocol in range(6)
    )


@cache
def tables() -> tuple[bytes, ...]:
    """CSV of bytes, of fractions, with a header."""
    return (
        b"3,0,17,255,4\n7,1,2,3,4\n0,9,9,9,9\n",
        b"3,0,0.5,1,.25\n7,1.0,0,1e-3,0.125\n1,0,0,0,0\n",
        b"label,a,b\n1,0,255\n2,3,4\n",
    )


@cache
def attributes() -> tuple[bytes, ...]:
    """OpenML's ARFF."""
    return (b"% m\n@RELATION m\n@ATTRIBUTE a real\n@DATA\n0,17,255,4,3\n1,2,3,4,7\n",)


@cache
def pictures() -> tuple[bytes, ...]:
    """PNG in all modes, one with words, one interlaced; JPEG plain, progressive, with EXIF."""
    drawn = np.full((9, 8, 4), 255, np.uint8)
    drawn[2:7, 3:5, :3] = np.random.default_rng(0).integers(0, 90, (5, 2, 3), np.uint8)
    color = Image.fromarray(drawn)
    words = PngImagePlugin.PngInfo()
    words.add_text("Title", "digit", zip=True)
    words.add_itxt("XML:com.adobe.xmp", "<x tiff:Orientation='6'/>")
    exif = Image.Exif()
    exif[0x112] = 6
    kept: list[tuple[Image.Image, str, dict[str, Any]]] = []
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        kept.append((color.convert(mode), "PNG", {}))
    kept.append((Image.fromarray(drawn[..., 0].astype(np.uint16) * 257), "PNG", {}))
    kept.append((color, "PNG", {"pnginfo": words, "exif": exif}))
    kept.append((color.convert("L"), "JPEG", {}))
    kept.append((color.convert("RGB"), "JPEG", {"progressive": True}))
    kept.append((color.convert("RGB"), "JPEG", {"exif": exif}))
    found = []
    for image, kind, options in kept:
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        found.append(stream.getvalue())
    return tuple(found)


@cache
def models() -> tuple[bytes, ...]:
    """A model file of each number type, a committee of two, and a network saved whole."""
    rng = np.random.default_rng(0)
    single, double = (Network.dense([4, 3, 2], rng=rng, dtype=d) for d in (np.float32, np.float64))
    committee = Committee((single, Network.dense([4, 2], rng=rng)))
    whole = Network.dense([4, 3, 2], rng=rng, batch_norm=True, dropout=0.5, input_noise=0.1)
    with tempfile.TemporaryDirectory() as folder:
        return tuple(
            save(Model(network, ("no", "yes"), (2, 2)), Path(folder) / "model").read_bytes()
            for network in (single, double, committee, whole)
        )


@cache
def snapshots() -> tuple[bytes, ...]:
    """A run after five steps."""
    network = Network.dense([2, 1], rng=np.random.default_rng(0))
    optimizer, schedule = Adam(network.parameters.size), Schedule(0.1)
    progress = Progress(epoch=1, step=5, best_step=5, best_loss=0.5)
    progress.attach({"parameters": network.parameters}, optimizer, schedule)
    history = [
        {"epoch": 1, "step": 5, "loss": 0.5, "objective": 0.6, "validation_loss": None,
         "validation_accuracy": 0.5, "learning_rate": 0.1, "seconds": 0.1}
    ]  # fmt: skip
    checkpoint = Checkpoint(progress, history, {"seed": 0}, {"train": "0"}, {"cpu": "x"})
    with tempfile.TemporaryDirectory() as folder:
        return (write_checkpoint(Path(folder), checkpoint).read_bytes(),)


@cache
def configs() -> tuple[bytes, ...]:
    """Every third of the settings, at the top and in a table."""
    table, *lines = as_toml(Settings()).splitlines()
    few = "\n".join(lines[::3])
    return (f"{table}\n{few}\n".encode(), few.encode())
