"""Model files: a network on disk, readable by every safetensors reader, believed by none blindly.

The tensors have the names and the layout of `torch.nn.Sequential(Linear, activation, ...)`:
`0.weight` (out, in), `0.bias`, `2.weight`, ... The metadata hold the architecture and whatever
the network needs to be used: classes, image shape, how pixels were scaled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.activations import ACTIVATIONS
from chainrule.arrays import Array, Float
from chainrule.network import Dense, Network
from chainrule.sealed import ModelFileError, Tensors, read_sealed, write_sealed

FORMAT = "chainrule-1"
MOST_LAYERS = 1024


@dataclass(frozen=True)
class Model:
    """A network and what is needed to use it."""

    network: Network
    classes: tuple[str, ...] = ()
    shape: tuple[int, int] = (0, 0)
    """Height and width of the images it was trained on; (0, 0): unknown."""
    pixel_scale: float = 1.0
    """Pixels in 0..1 are multiplied by this before they enter the first layer."""
    summary: dict[str, Any] = field(default_factory=dict)
    """Whatever the training run tells about itself."""

    def predict_proba(self, images: Float[Array, "N n"]) -> Float[Array, "N K"]:
        """The probability of each class for images with pixels in 0..1, (N, h*w)."""
        if self.pixel_scale == 1:
            return self.network.predict_proba(images)
        return self.network.predict_proba(images * self.pixel_scale)


def save(model: Network | Model, path: str | Path) -> Path:
    """Writes the model to `path`, all or nothing: a failed save leaves the file there before.

    Raises ModelFileError if a weight is not finite, OSError if the file cannot be written.
    """
    if isinstance(model, Network):
        model = Model(model)
    network = model.network
    if not np.isfinite(network.parameters).all():
        raise ModelFileError(
            f"{path}: not written, some weights are not finite numbers; train with a lower "
            "learning rate"
        )
    tensors: Tensors = {}
    for i, (W, b) in enumerate(zip(network.W, network.b, strict=True)):
        tensors[f"{2 * i}.weight"] = np.ascontiguousarray(W.T)
        tensors[f"{2 * i}.bias"] = np.ascontiguousarray(b)
    description = {
        "layers": [[layer.fan_in, layer.fan_out, layer.activation] for layer in network.layers],
        "link": network.link,
        "classes": list(model.classes),
        "shape": list(model.shape),
        "pixel_scale": model.pixel_scale,
        "summary": model.summary,
    }
    words = {"format": FORMAT, "model": json.dumps(description, sort_keys=True)}
    return write_sealed(path, tensors, words)


def load_network(path: str | Path) -> Network:
    """The network in a model file; `load_model` also gives its classes and preprocessing."""
    return load_model(path).network


def load_model(path: str | Path) -> Model:
    """Reads a model file, and checks everything in it before any of it is used.

    Raises ModelFileError, naming the rule that the file breaks, or FileNotFoundError.
    """
    tensors, words = read_sealed(path, format=FORMAT)
    try:
        return _model(json.loads(words["model"]), tensors)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ModelFileError(f"{path}: the description in it does not hold: {error}") from None


def _model(description: dict[str, Any], tensors: Tensors) -> Model:
    """The model that description and tensors agree on; ValueError where they do not."""
    layers = [Dense(int(i), int(o), str(name)) for i, o, name in description["layers"]]
    if not 1 <= len(layers) <= MOST_LAYERS:
        raise ValueError(f"{len(layers)} layers; a network has 1 to {MOST_LAYERS}")
    shapes: dict[str, tuple[int, ...]] = {}
    for i, layer in enumerate(layers):
        shapes[f"{2 * i}.weight"] = (layer.fan_out, layer.fan_in)
        shapes[f"{2 * i}.bias"] = (layer.fan_out,)
    if {name: tensor.shape for name, tensor in tensors.items()} != shapes:
        raise ValueError("names and shapes of the tensors are not those of the layers")
    dtypes = {tensor.dtype for tensor in tensors.values()}
    if len(dtypes) != 1 or not dtypes <= {np.dtype(np.float32), np.dtype(np.float64)}:
        raise ValueError(f"tensors of type {sorted(map(str, dtypes))}; all float32 or all float64")
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise ValueError("a weight is not a finite number")
    ACTIVATIONS[description["link"]]
    network = Network(layers, dtypes.pop(), link=description["link"])
    for i, (W, b) in enumerate(zip(network.W, network.b, strict=True)):
        W[...] = tensors[f"{2 * i}.weight"].T
        b[...] = tensors[f"{2 * i}.bias"]
    classes = tuple(str(name) for name in description["classes"])
    height, width = (int(side) for side in description["shape"])
    scale = float(description["pixel_scale"])
    if classes and len(classes) != layers[-1].fan_out:
        raise ValueError(f"{len(classes)} class names for {layers[-1].fan_out} outputs")
    fits = min(height, width) > 0 and height * width == layers[0].fan_in
    if not (fits or (height, width) == (0, 0)) or not np.isfinite(scale):
        raise ValueError(f"images of {height} x {width}, scale {scale}, for {layers[0]}")
    return Model(network, classes, (height, width), scale, dict(description["summary"]))
