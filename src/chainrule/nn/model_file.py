"""Model files: a network on disk as safetensors, checked in full before it is used.

The tensors have the names and the layout of `torch.nn.Sequential(Linear, activation, ...)`:
`0.weight` (out, in), `0.bias`, `2.weight`, ... The metadata hold the architecture and everything
needed for inference: classes, image shape, pixel scale, preprocessing. A committee's file has its
own format, and the names of a `ModuleList` of such: `0.0.weight`, `0.0.bias`, ...

A network that trains otherwise than it predicts is saved whole, in a format of its own, so that it
trains on as if it had never been saved: `BatchNorm1d`, `Dropout` and noise count as modules, and
`1.weight`, `1.bias`, `1.running_mean`, `1.running_var` are those of the normalisation behind
`Linear(bias=False)`. `save(network.folded(), path)` writes only what it predicts with.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.core.arrays import Array, Float
from chainrule.core.errors import ModelFileError
from chainrule.core.files import naming_what_is_read, naming_what_is_written
from chainrule.core.json_text import check_json, to_json
from chainrule.core.schema import Schema
from chainrule.core.tensor_file import Tensors, check_size, read_sealed, write_sealed
from chainrule.nn.committee import Committee
from chainrule.nn.model_layers import described, networks_of, tensors_of
from chainrule.nn.network import Network
from chainrule.nn.predictor import check_answers
from chainrule.nn.preprocessing import MNIST, Preprocessing

FORMAT = "chainrule-1"
COMMITTEE_FORMAT = "chainrule-committee-1"
WHOLE_FORMAT, WHOLE_COMMITTEE_FORMAT = "chainrule-2", "chainrule-committee-2"
"""Formats of networks with batch normalisation, dropout or noise: programs that know only the first
two would lose these in silence."""
TABLE_FORMAT, TABLE_COMMITTEE_FORMAT = "chainrule-3", "chainrule-committee-3"
"""The same for tables: programs that know only those before would take the inputs for pixels."""
FORMATS = (
    *(FORMAT, COMMITTEE_FORMAT, WHOLE_FORMAT, WHOLE_COMMITTEE_FORMAT),
    *(TABLE_FORMAT, TABLE_COMMITTEE_FORMAT),
)


@dataclass(frozen=True)
class Model:
    """A network, or a committee of several, with everything needed to use it."""

    network: Network | Committee
    classes: tuple[str, ...] = ()
    shape: tuple[int, int] = (0, 0)
    """Height and width of the images it was trained on; (0, 0): unknown."""
    pixel_scale: float = 1.0
    """Factor for pixels in 0..1 before the first layer."""
    summary: dict[str, Any] = field(default_factory=dict)
    """Facts recorded by the training run."""
    preprocessing: Preprocessing | None = None
    """Form of the training images, for pictures that do not have it; None: unknown."""
    schema: Schema | None = None
    """Of a table: its columns, their scale, its target; None: images."""

    @property
    def members(self) -> tuple[Network, ...]:
        """Its networks: one, or the members of the committee."""
        return self.network.members if isinstance(self.network, Committee) else (self.network,)

    @property
    def inputs(self) -> int:
        """Number of pixels per image."""
        return self.members[0].widths[0]

    @property
    def outputs(self) -> int:
        """Number of classes."""
        return self.members[0].widths[-1]

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names; numbers if they have none."""
        return self.classes or tuple(map(str, range(self.outputs)))

    @property
    def form(self) -> Preprocessing | None:
        """Its preprocessing; MNIST's for 28 x 28 pixels, if its file has none."""
        return self.preprocessing or (MNIST if self.shape == (28, 28) else None)

    @property
    def parameter_count(self) -> int:
        """Number of learned parameters, in all members together."""
        return sum(network.parameter_count for network in self.members)

    def predict_proba(self, images: Float[Array, "N n"]) -> Float[Array, "N K"]:
        """Class probabilities (N, K) of images (N, h*w) with pixels in 0..1."""
        if self.pixel_scale == 1:
            return self.network.predict_proba(images)
        return self.network.predict_proba(images * self.pixel_scale)

    def answers(self, images: Float[Array, "N n"]) -> Float[Array, "N K"]:
        """`predict_proba`, for a file that need not be trusted.

        Raises ModelFileError where a probability is not a finite number.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            probabilities = self.predict_proba(images)
        check_answers(probabilities, noun="rows" if self.schema else "images")
        return probabilities


def save(model: Network | Committee | Model, path: str | Path) -> Path:
    """Writes the model to `path` atomically: a failed save leaves the existing file unchanged.

    The network is saved whole: loaded, it predicts and trains on to the same bits.
    Raises ModelFileError for what `load_model` would refuse, such as a weight that is not finite,
    OSError if the file cannot be written.
    """
    with naming_what_is_written(path):
        tensors, words = _content(model if isinstance(model, Model) else Model(model), path)
        return write_sealed(path, tensors, words)


def check_saveable(model: Model, path: str | Path) -> None:
    """Raises ModelFileError where `save` would: to know it before the model is trained."""
    check_size(path, *_content(model, path))


def _content(model: Model, path: str | Path) -> tuple[Tensors, dict[str, str]]:
    """(tensors, words) of a model's file; ModelFileError for what `load_model` would refuse."""
    committee, table = isinstance(model.network, Committee), model.schema is not None
    whole = table or any(network.has_training_mode for network in model.members)
    tensors: Tensors = {}
    members: list[dict[str, Any]] = []
    for number, network in enumerate(model.members):
        if not np.isfinite(network.state).all():
            raise ModelFileError(
                f"{path}: not written, some weights are not finite numbers; train with a lower "
                "learning rate"
            )
        tensors |= tensors_of(network, prefix=f"{number}." if committee else "")
        layers = [described(layer, whole=whole) for layer in network.layers]
        members.append({"layers": layers, "link": network.link})
    description = ({"members": members} if committee else members[0]) | {
        "classes": list(model.classes),
        "shape": list(model.shape),
        "pixel_scale": model.pixel_scale,
        "summary": model.summary,
    }
    if model.preprocessing:
        description["preprocessing"] = model.preprocessing.as_json()
    if model.schema:
        description["schema"] = model.schema.as_json()
    try:
        written = to_json(description, sort=True)
    except ValueError as error:
        raise ModelFileError(f"{path}: not written: {error}") from None
    words = {"format": FORMATS[committee + 2 * whole + 2 * table], "model": written}
    _read(path, tensors, words)
    return tensors, words


def load_network(path: str | Path) -> Network:
    """Loads the network from a model file; `load_model` adds its classes and preprocessing.

    Raises what `load_model` raises, and ModelFileError for a committee.
    """
    network = load_model(path).network
    if isinstance(network, Committee):
        raise ModelFileError(
            f"{path}: a committee of {len(network.members)} networks, not one; "
            "chainrule.nn.model_file.load_model reads it, and predicts by their mean"
        )
    return network


def load_model(path: str | Path) -> Model:
    """Reads a model file and checks all of it before using any of it.

    Raises ModelFileError, naming the rule that the file breaks, or FileNotFoundError.
    """
    tensors, words = read_sealed(path, format=FORMATS)
    with naming_what_is_read(path):
        return _read(path, tensors, words)


def _read(path: str | Path, tensors: Tensors, words: dict[str, str]) -> Model:
    """The model of these tensors and words; ModelFileError, naming the rule that they break."""
    kind = FORMATS.index(words["format"])
    whole, table, committee = kind >= 2, kind >= 4, kind % 2 == 1
    try:
        description = json.loads(words["model"])
        if table != ("schema" in description):
            raise ValueError("a table's schema and the format of tables go together")
        if not committee:
            networks = networks_of([description], tensors, prefixes=[""], whole=whole)
            return _model(description, networks[0])
        members = description["members"]
        prefixes = [f"{number}." for number in range(len(members))]
        networks = networks_of(members, tensors, prefixes=prefixes, whole=whole)
        return _model(description, Committee(networks))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ModelFileError(f"{path}: the description in it does not hold: {error}") from None


def _model(description: dict[str, Any], network: Network | Committee) -> Model:
    """The network with the rest of its description; ValueError where they do not fit."""
    check_json(description)
    classes, (height, width) = tuple(description["classes"]), description["shape"]
    if odd := [name for name in classes if not isinstance(name, str)]:
        raise ValueError(f"a class name is a {_kind(odd[0])}; class names are texts")
    if not type(height) is type(width) is int:
        raise ValueError("height and width of the images are not whole numbers")
    scale, measured = description["pixel_scale"], description.get("preprocessing")
    table = description.get("schema")
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < inf:
        raise ValueError(f"pixel_scale is {_kind(scale)} {scale!s:.40}; it is a number above 0")
    model = Model(
        network,
        classes=classes,
        shape=(height, width),
        pixel_scale=float(scale),
        preprocessing=None if measured is None else Preprocessing.from_json(measured),
        summary=dict(description["summary"]),
        schema=None if table is None else Schema.from_json(table),
    )
    if model.schema and (model.schema.inputs != model.inputs or scale != 1 or measured):
        raise ValueError(
            f"a table of {model.schema.inputs} inputs, scale {scale}, for {model.inputs} inputs"
        )
    if classes and len(classes) != model.outputs:
        raise ValueError(f"{len(classes)} class names for {model.outputs} outputs")
    fits = min(height, width) > 0 and height * width == model.inputs
    if not (fits or (height, width) == (0, 0)):
        raise ValueError(f"images of {height} x {width} for {model.members[0].layers[0]}")
    return model


def _kind(value: object) -> str:
    return type(value).__name__
