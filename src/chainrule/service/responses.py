"""Probabilities as an answer: JSON, or raw numbers for who asks for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from chainrule.core.arrays import Array, Float
from chainrule.data.dataset import DIGITS
from chainrule.nn.model_file import Model


def as_json(
    name: str,
    classes: tuple[str, ...],
    probabilities: Float[Array, "N K"],
    places: tuple[dict[str, Any], ...] = (),
) -> bytes:
    """{"model": name, "predictions": [...]}: for each image the class, how sure, and all K."""
    best = probabilities.argmax(axis=1)
    key, labels = ("digit", range(len(DIGITS))) if classes == DIGITS else ("label", classes)
    predictions: list[dict[str, Any]] = [
        {key: labels[k], "confidence": row[k], "probabilities": row}
        for k, row in zip(best.tolist(), probabilities, strict=True)
    ]
    for prediction, place in zip(predictions, places, strict=False):
        prediction.update(place)
    answer = {"model": name, "predictions": predictions}
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def as_octets(probabilities: Float[Array, "N K"]) -> bytes:
    """N rows of K numbers: float32, little endian."""
    return probabilities.astype("<f4", copy=False).tobytes()


def description(model: Model, name: str) -> dict[str, Any]:
    """What /v1/model tells of the network."""
    return {
        "model": name,
        "classes": list(model.labels),
        "shape": list(model.shape),
        "inputs": model.inputs,
        "parameters": model.parameter_count,
        "members": [
            {
                "layers": [
                    {"fan_in": one.fan_in, "fan_out": one.fan_out, "activation": one.activation}
                    for one in network.layers
                ],
                "link": network.link,
            }
            for network in model.members
        ],
    }


def finite(probabilities: Array) -> bool:
    """Whether these can be probabilities."""
    return bool(np.isfinite(probabilities).all() and (probabilities >= 0).all())
