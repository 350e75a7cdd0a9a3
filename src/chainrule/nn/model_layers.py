"""Layers in a model file: names and layout of their tensors, as `torch.nn.Sequential` has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.core.tensor_file import Tensors
from chainrule.nn.activations import LINKS
from chainrule.nn.dense import Dense
from chainrule.nn.network import Network

MOST_LAYERS = 1024
"""In all members together."""


def networks_of(
    members: list[dict[str, Any]], tensors: Tensors, *, prefixes: list[str], whole: bool
) -> tuple[Network, ...]:
    """Networks from descriptions and tensors; ValueError where the two disagree."""
    stacks = [[_layer(layer, whole=whole) for layer in one["layers"]] for one in members]
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
    for one, prefix, layers in zip(members, prefixes, stacks, strict=True):
        LINKS[one["link"]]
        network = Network(layers, *dtypes, link=one["link"])
        for name, part, i in _names(layers, prefix):
            getattr(network, part)[i][...] = tensors[name].T
        if any((variance < 0).any() for variance in network.variance):
            raise ValueError("a variance is below 0")
        networks.append(network)
    return tuple(networks)


def tensors_of(network: Network, *, prefix: str) -> Tensors:
    """A network's numbers by their names in the file."""
    return {
        name: np.ascontiguousarray(getattr(network, part)[i].T)
        for name, part, i in _names(network.layers, prefix)
    }


def described(layer: Dense, *, whole: bool) -> list[Any]:
    """A layer in words: widths and activation; whole: normalisation, dropout and noise too."""
    plain = [layer.fan_in, layer.fan_out, layer.activation]
    more = [layer.batch_norm, float(layer.dropout), float(layer.noise)]
    return plain + more if whole else plain


def _layer(words: Sequence[Any], *, whole: bool) -> Dense:
    """The layer that `described` describes."""
    fan_in, fan_out, activation, *more = words
    if len(more) != 3 * whole:
        raise ValueError(f"a layer of {len(words)} values, {6 if whole else 3} describe one")
    batch_norm, dropout, noise = more or (False, 0.0, 0.0)
    kinds = (int, int, str, bool, float, float)
    for value, kind in zip((*words[:3], batch_norm, dropout, noise), kinds, strict=True):
        if type(value) is not kind:
            raise ValueError(
                f"a layer has a {type(value).__name__} where a {kind.__name__} belongs"
            )
    return Dense(fan_in, fan_out, activation, batch_norm, dropout, noise)


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
