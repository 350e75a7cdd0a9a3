"""Responses to prediction requests: JSON, or raw numbers on request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

from chainrule.core.arrays import Array, Float
from chainrule.core.schema import Schema
from chainrule.data.dataset import DIGITS
from chainrule.nn.model_file import Model

PART = 64
"""Images whose predictions are written at a time."""


def json_parts(
    name: str,
    classes: tuple[str, ...],
    probabilities: Float[Array, "N K"],
    places: tuple[dict[str, Any], ...] = (),
) -> Iterator[bytes]:
    """{"model": name, "predictions": [...]}: each image: class, confidence, K probabilities.

    In parts, between which others get their turn.
    """
    key, labels = ("digit", range(len(DIGITS))) if classes == DIGITS else ("label", classes)
    head = orjson.dumps({"model": name, "predictions": []})[: -len(b"]}")]
    for start in range(0, len(probabilities), PART):
        rows = probabilities[start : start + PART]
        best = rows.argmax(axis=1)
        predictions: list[dict[str, Any]] = [
            {key: labels[k], "confidence": row[k], "probabilities": row}
            for k, row in zip(best.tolist(), rows, strict=True)
        ]
        for prediction, place in zip(predictions, places[start : start + PART], strict=False):
            prediction.update(place)
        told = orjson.dumps(predictions, option=orjson.OPT_SERIALIZE_NUMPY)
        yield (b"," if start else head) + told[1:-1]
    yield b"]}"


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
        **(
            {"columns": columns_of(model.schema), "target": model.schema.target}
            if model.schema
            else {}
        ),
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


def columns_of(schema: Schema) -> list[dict[str, Any]]:
    """Columns that a table's network takes: name, and categories of a column of words."""
    return [
        {"name": column.name} | ({"categories": column.categories} if column.categories else {})
        for column in schema.columns
    ]


def finite(probabilities: Array) -> bool:
    """True if all are finite."""
    return bool(np.isfinite(probabilities).all() and (probabilities >= 0).all())
