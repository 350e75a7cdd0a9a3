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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.core.arrays import Array, Float
from chainrule.core.errors import ModelFileError
from chainrule.core.json_text import check_json, to_json
from chainrule.core.tensor_file import Tensors, check_size, read_sealed, write_sealed
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.committee import Committee
from chainrule.nn.dense import Dense
from chainrule.nn.network import Network
from chainrule.nn.predictor import check_answers
from chainrule.nn.preprocessing import MNIST, Preprocessing

FORMAT = "chainrule-1"
COMMITTEE_FORMAT = "chainrule-committee-1"
WHOLE_FORMAT, WHOLE_COMMITTEE_FORMAT = "chainrule-2", "chainrule-committee-2"
"""Formats of networks with batch normalisation, dropout or noise: programs that know only the first
two would lose these in silence."""
FORMATS = (FORMAT, COMMITTEE_FORMAT, WHOLE_FORMAT, WHOLE_COMMITTEE_FORMAT)
MOST_LAYERS = 1024
"""In all members together."""


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
        check_answers(probabilities)
        return probabilities


def save(model: Network | Committee | Model, path: str | Path) -> Path:
    """Writes the model to `path` atomically: a failed save leaves the existing file unchanged.

    The network is saved whole: loaded, it predicts and trains on to the same bits.
    Raises ModelFileError for what `load_model` would refuse, such as a weight that is not finite,
    OSError if the file cannot be written.
    """
    tensors, words = _content(model if isinstance(model, Model) else Model(model), path)
    return write_sealed(path, tensors, words)


def check_saveable(model: Model, path: str | Path) -> None:
    """Raises ModelFileError where `save` would: to know it before the model is trained."""
    check_size(path, *_content(model, path))


def _content(model: Model, path: str | Path) -> tuple[Tensors, dict[str, str]]:
    """(tensors, words) of a model's file; ModelFileError for what `load_model` would refuse."""
    committee = isinstance(model.network, Committee)
    whole = any(network.has_training_mode for network in model.members)
    tensors: Tensors = {}
    members: list[dict[str, Any]] = []
    for number, network in enumerate(model.members):
        if not np.isfinite(network.state).all():
            raise ModelFileError(
                f"{path}: not written, some weights are not finite numbers; train with a lower "
                "learning rate"
            )
        tensors |= _tensors(network, prefix=f"{number}." if committee else "")
        layers = [_described(layer, whole=whole) for layer in network.layers]
        members.append({"layers": layers, "link": network.link})
    description = ({"members": members} if committee else members[0]) | {
        "classes": list(model.classes),
        "shape": list(model.shape),
        "pixel_scale": model.pixel_scale,
        "summary": model.summary,
    }
    if model.preprocessing:
        description["preprocessing"] = model.preprocessing.as_json()
    try:
        words = {"format": FORMATS[committee + 2 * whole], "model": to_json(description, sort=True)}
    except ValueError as error:
        raise ModelFileError(f"{path}: not written: {error}") from None
    _read(path, tensors, words)
    return tensors, words


def _tensors(network: Network, *, prefix: str) -> Tensors:
    """A network's numbers by their names in the file."""
    return {
        name: np.ascontiguousarray(getattr(network, part)[i].T)
        for name, part, i in _names(network.layers, prefix)
    }


def _names(layers: Sequence[Dense], prefix: str) -> Iterator[tuple[str, str, int]]:
    """(name in the file, attribute of Network, index of the layer) of each tensor."""
    module = 0
    for i, layer in enumerate(layers):
        module += bool(layer.dropout) + bool(layer.noise)
        yield f"{prefix}{module}.weight", "W", i
        if layer.batch_norm:
            module += 1
            yield f"{prefix}{module}.weight", "gamma", i
            yield f"{prefix}{module}.running_mean", "mean", i
            yield f"{prefix}{module}.running_var", "variance", i
        yield f"{prefix}{module}.bias", "b", i
        module += 2


def _described(layer: Dense, *, whole: bool) -> list[Any]:
    plain = [layer.fan_in, layer.fan_out, layer.activation]
    more = [layer.batch_norm, float(layer.dropout), float(layer.noise)]
    return plain + more if whole else plain


def _layer(described: Sequence[Any], *, whole: bool) -> Dense:
    """The layer that `_described` describes."""
    fan_in, fan_out, activation, *more = described
    if len(more) != 3 * whole:
        raise ValueError(f"a layer of {len(described)} values, {6 if whole else 3} describe one")
    batch_norm, dropout, noise = more or (False, 0.0, 0.0)
    kinds = (int, int, str, bool, float, float)
    for value, kind in zip((*described[:3], batch_norm, dropout, noise), kinds, strict=True):
        if type(value) is not kind:
            raise ValueError(f"a layer has a {_kind(value)} where a {kind.__name__} belongs")
    return Dense(fan_in, fan_out, activation, batch_norm, dropout, noise)


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
    return _read(path, *read_sealed(path, format=FORMATS))


def _read(path: str | Path, tensors: Tensors, words: dict[str, str]) -> Model:
    """The model of these tensors and words; ModelFileError, naming the rule that they break."""
    whole = words["format"] in (WHOLE_FORMAT, WHOLE_COMMITTEE_FORMAT)
    try:
        description = json.loads(words["model"])
        if words["format"] in (FORMAT, WHOLE_FORMAT):
            networks = _networks([description], tensors, prefixes=[""], whole=whole)
            return _model(description, networks[0])
        members = description["members"]
        prefixes = [f"{number}." for number in range(len(members))]
        networks = _networks(members, tensors, prefixes=prefixes, whole=whole)
        return _model(description, Committee(networks))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ModelFileError(f"{path}: the description in it does not hold: {error}") from None


def _networks(
    described: list[dict[str, Any]], tensors: Tensors, *, prefixes: list[str], whole: bool
) -> tuple[Network, ...]:
    """Networks from descriptions and tensors; ValueError where the two disagree."""
    stacks = [[_layer(layer, whole=whole) for layer in one["layers"]] for one in described]
    for layers in stacks:
        if not 1 <= len(layers) <= MOST_LAYERS:
            raise ValueError(f"{len(layers)} layers; a network has 1 to {MOST_LAYERS}")
    if sum(map(len, stacks)) > MOST_LAYERS:
        raise ValueError(f"{len(stacks)} members have more than {MOST_LAYERS} layers together")
    shapes: dict[str, tuple[int, ...]] = {}
    for prefix, layers in zip(prefixes, stacks, strict=True):
        for name, part, i in _names(layers, prefix):
            layer = layers[i]
            shapes[name] = (layer.fan_out, layer.fan_in) if part == "W" else (layer.fan_out,)
    if {name: tensor.shape for name, tensor in tensors.items()} != shapes:
        raise ValueError("names and shapes of the tensors are not those of the layers")
    dtypes = {tensor.dtype for tensor in tensors.values()}
    if len(dtypes) != 1 or not dtypes <= {np.dtype(np.float32), np.dtype(np.float64)}:
        raise ValueError(f"tensors of type {sorted(map(str, dtypes))}; all float32 or all float64")
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise ValueError("a weight is not a finite number")
    networks = []
    for one, prefix, layers in zip(described, prefixes, stacks, strict=True):
        ACTIVATIONS[one["link"]]
        network = Network(layers, *dtypes, link=one["link"])
        for name, part, i in _names(layers, prefix):
            getattr(network, part)[i][...] = tensors[name].T
        if any((variance < 0).any() for variance in network.variance):
            raise ValueError("a variance is below 0")
        networks.append(network)
    return tuple(networks)


def _model(description: dict[str, Any], network: Network | Committee) -> Model:
    """The network with the rest of its description; ValueError where they do not fit."""
    check_json(description)
    classes, (height, width) = tuple(description["classes"]), description["shape"]
    if odd := [name for name in classes if not isinstance(name, str)]:
        raise ValueError(f"a class name is a {_kind(odd[0])}; class names are texts")
    if not type(height) is type(width) is int:
        raise ValueError("height and width of the images are not whole numbers")
    scale, measured = description["pixel_scale"], description.get("preprocessing")
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < inf:
        raise ValueError(f"pixel_scale is {_kind(scale)} {scale!s:.40}; it is a number above 0")
    model = Model(
        network,
        classes=classes,
        shape=(height, width),
        pixel_scale=float(scale),
        preprocessing=None if measured is None else Preprocessing.from_json(measured),
        summary=dict(description["summary"]),
    )
    if classes and len(classes) != model.outputs:
        raise ValueError(f"{len(classes)} class names for {model.outputs} outputs")
    fits = min(height, width) > 0 and height * width == model.inputs
    if not (fits or (height, width) == (0, 0)):
        raise ValueError(f"images of {height} x {width} for {model.members[0].layers[0]}")
    return model


def _kind(value: object) -> str:
    return type(value).__name__
