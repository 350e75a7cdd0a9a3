"""Checks of what training is given: that examples, options, loss and network fit each other."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from chainrule.core.arrays import Array, is_sparse, values_of
from chainrule.core.errors import ConfigError
from chainrule.core.rng import as_generator
from chainrule.data.augment import Distortion
from chainrule.data.batches import ExampleArrays
from chainrule.nn.losses import LOSSES, LossFunction, check_fits
from chainrule.nn.network import Network
from chainrule.nn.targets import check_weights
from chainrule.training.options import Options


def check_training(
    network: Network,
    examples: ExampleArrays,
    options: Options,
    *,
    loss: str | LossFunction,
    rng: np.random.Generator | None,
    validation: ExampleArrays | None,
    distortion: Distortion | None,
    shape: tuple[int, int] | None,
) -> None:
    """Raises ValueError, a ConfigError for options, unless all that `train` was given fits."""
    check_examples(network, examples, loss=loss)
    target = examples[1]
    if validation is not None:
        check_examples(network, validation, loss=loss)
        if validation[1].ndim != target.ndim:
            raise ValueError(
                f"the target has shape {target.shape}, that of validation {validation[1].shape}: "
                "give labels for both, or values for both"
            )
    check_options(
        network, options, loss=loss, rng=rng, validated=validation is not None,
        distortion=distortion, shape=shape,
    )  # fmt: skip
    check_link(network, loss, target)
    if distortion and is_sparse(examples[0]):
        raise ConfigError("sparse images cannot be distorted: give images.toarray()")
    if options.label_smoothing and target.ndim == 2:
        raise ConfigError(
            f"label_smoothing {options.label_smoothing:g}: values are no labels; leave it out"
        )


def check_examples(
    network: Network, examples: tuple[Any, ...], *, loss: str | LossFunction
) -> None:
    """Raises ValueError, naming value, rule and remedy, unless the examples fit the network."""
    if len(examples) not in (2, 3):
        raise ValueError(
            f"the examples are {len(examples)} arrays: give (inputs, target), or "
            "(inputs, target, weights)"
        )
    images, target = examples[0], examples[1]
    noun = "labels" if target_is_labels(target) else "values"
    for what, array in zip(("images", noun, "weights"), examples, strict=False):
        if not (isinstance(array, np.ndarray) or (array is images and hasattr(array, "tocsr"))):
            remedy = f"{what}.to_numpy()" if hasattr(array, "to_numpy") else f"np.asarray({what})"
            raise ValueError(
                f"{what} are of type {type(array).__name__}: give a NumPy array, {remedy}"
            )
    check_inputs(network, images)
    rows = images.shape[0]
    if rows != len(target) or not rows:
        one = "label" if noun == "labels" else "row of values"
        raise ValueError(f"{rows} images and {len(target)} {noun}: give one {one} an image")
    check_fits(target, network.widths[-1], loss)
    if len(examples) == 3:
        check_weights(examples[2], rows)


def check_inputs(network: Network, images: Any) -> None:
    """Raises ValueError unless the inputs fit the network, and are finite."""
    inputs = network.widths[0]
    if not (isinstance(images, np.ndarray) or is_sparse(images)):
        raise ValueError(
            f"images are a sparse {type(images).__name__}: give them by rows, images.tocsr()"
        )
    if is_sparse(images) and network.layers[0].stochastic:
        raise ConfigError(
            "sparse images: dropout or noise on the inputs would fill them; give images.toarray(), "
            "or leave input_dropout and input_noise out"
        )
    if len(images.shape) != 2 or images.shape[1] != inputs:
        raise ValueError(
            f"images have shape {images.shape}: layer 1 takes {inputs} inputs, "
            f"so give (N, {inputs}), one example a row"
        )
    if images.dtype != network.dtype:
        remedy = f"convert them, images.astype('{network.dtype}')"
        if images.dtype == np.uint8:
            remedy = f"divide them, images / np.{network.dtype}(255)"
        raise ValueError(f"images are {images.dtype}, the network is {network.dtype}: {remedy}")
    values = values_of(images)
    with np.errstate(over="ignore", invalid="ignore"):
        total = float(values.sum(dtype=np.float64))
    if not isfinite(total) and len(bad := np.argwhere(~np.isfinite(values))):
        row, column = _place(images, bad[0])
        raise ValueError(
            f"image {row} has the value {values[tuple(bad[0])]} at input {column}: "
            "every input is a finite number; repair or leave out that example"
        )


def _place(images: Any, index: Array) -> tuple[int, int]:
    """(row, column) of a value, from its index among the values."""
    if not is_sparse(images):
        return int(index[0]), int(index[1])
    row = int(np.searchsorted(images.indptr, index[0], "right")) - 1
    return row, int(images.indices[index[0]])


def check_options(
    network: Network,
    options: Options,
    *,
    loss: str | LossFunction,
    rng: np.random.Generator | None,
    validated: bool,
    distortion: Distortion | None = None,
    shape: tuple[int, int] | None = None,
) -> None:
    """Raises ConfigError for options that do not fit the network or each other."""
    if rng is not None:
        as_generator(rng)
    if options.patience and not validated:
        raise ConfigError(
            f"patience {options.patience} needs a validation set to measure: give validation= "
            "(--validation 1000)"
        )
    if (network.has_training_mode or distortion) and rng is None:
        raise ConfigError("dropout, noise, distortion and batch normalisation need rng: give one")
    if distortion and not shape:
        raise ConfigError("a distortion needs the shape of the images: give shape=(height, width)")
    if options.batch_size == 1 and any(layer.batch_norm for layer in network.layers):
        raise ConfigError(
            "batch_size 1: batch normalisation of a single row leaves nothing of it; give 2 or more"
        )
    if loss == "mean-squared-error" and network.link != LOSSES[loss].link:
        raise ConfigError(
            f"loss {loss} compares probabilities, but the network's outputs become some only by "
            f"its link, {network.link}: Network.dense(..., output='softmax', link='identity')"
        )


def check_link(network: Network, loss: str | LossFunction, target: Array) -> None:
    """Raises ConfigError where a network's predictions are not those that the loss fits to values.

    Of labels the class counts, and that is the highest output by any link.
    """
    if not isinstance(loss, str) or target.ndim == 1 or network.link == LOSSES[loss].link:
        return
    raise ConfigError(
        f"loss {loss} fits predictions that are the {LOSSES[loss].link} of the outputs, and this "
        f"network's are their {network.link}: Network.dense(..., link='{LOSSES[loss].link}')"
    )


def target_is_labels(target: object) -> bool:
    """True for what can only be meant as labels; a list is taken for some."""
    return getattr(target, "ndim", 1) == 1
