"""Responses to prediction requests: JSON, or raw numbers on request."""

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
    """{"model": name, "predictions": [...]}: each image: class, confidence, K probabilities."""
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
    """Raw response: N rows of K numbers, float32, little endian."""
    return probabilities.astype("<f4", copy=False).tobytes()


def description(model: Model, name: str) -> dict[str, Any]:
    """Description of the network, for /v1/model."""
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
    """True if all are finite."""
    return bool(np.isfinite(probabilities).all() and (probabilities >= 0).all())
