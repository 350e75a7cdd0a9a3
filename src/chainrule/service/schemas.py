"""Schemas of the service's requests and responses, for /openapi.json, with examples."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chainrule.core.schema import Schema

PREDICT = "/v1/predict"
OCTETS = "application/octet-stream"
SEVEN = [0.0001, 0.0, 0.0004, 0.0011, 0.0, 0.0, 0.0, 0.9978, 0.0001, 0.0005]


class Document(BaseModel):
    """Base of the responses: these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class Failure(Document):
    """Error response of every refusal."""

    error: str = Field(
        description="One sentence: the value, the rule, the remedy.",
        examples=["a body of 783 bytes is not a whole number of images"],
    )


class Prediction(Document):
    """Prediction for one image."""

    digit: int | None = Field(None, description="If the classes are the digits.", examples=[7])
    label: str | None = Field(None, description="If they are others.", examples=["coat"])
    confidence: float = Field(description="The largest probability.", examples=[0.9978])
    probabilities: list[float] = Field(description="Of each class.", examples=[SEVEN])
    picture: int | None = Field(None, description="Number of the uploaded picture, from 0.")
    box: tuple[int, int, int, int] | None = Field(
        None, description="Row, column, height and width there.", examples=[(12, 40, 96, 60)]
    )
    notes: list[str] | None = Field(
        None, description="What was done to that picture, or left out of it, if anything."
    )


class Predictions(Document):
    """Response with predictions; a picture may have several digits."""

    model: str = Field(description="The network's name.", examples=["records-fast-0"])
    predictions: list[Prediction]


class Layer(Document):
    """Dense layer."""

    fan_in: int = Field(examples=[784])
    fan_out: int = Field(examples=[128])
    activation: str = Field(examples=["relu"])


class Member(Document):
    """Network, alone or as a member."""

    layers: list[Layer]
    link: str = Field(examples=["softmax"])


class ColumnInfo(Document):
    """Column of a table: numbers, or one of these words."""

    name: str = Field(examples=["petal_length"])
    categories: list[str] | None = Field(None, description="Of a column of words.")


class Description(Document):
    """Description of the served network."""

    model: str = Field(examples=["records-fast-0"])
    classes: list[str] = Field(examples=[list("0123456789")])
    shape: tuple[int, int] = Field(
        description="Height and width of its images; 0, 0: unknown.", examples=[(28, 28)]
    )
    inputs: int = Field(description="Pixels of an image.", examples=[784])
    parameters: int = Field(examples=[109386])
    columns: list[ColumnInfo] | None = Field(None, description="Of a table: what a row holds.")
    target: str | None = Field(None, description="Of a table: the column that is predicted.")
    members: list[Member] = Field(description="One network, or those of an ensemble.")


class Health(Document):
    """Health of the service."""

    status: str = Field(examples=["ok"])


def body_of(inputs: int, height: int, width: int) -> dict[str, Any]:
    """Request body of /v1/predict in its four content types, for a network of that size."""
    number = {"type": "number", "minimum": 0, "maximum": 255}
    flat = {"type": "array", "items": number, "minItems": inputs, "maxItems": inputs}
    forms: list[dict[str, Any]] = [flat]
    if height and height != inputs:
        row = {"type": "array", "items": number, "minItems": width, "maxItems": width}
        forms.append({"type": "array", "items": row, "minItems": height, "maxItems": height})
    images = {"type": "array", "items": {"anyOf": forms}, "minItems": 1, "maxItems": 1024}
    blank = {"images": [[0] * inputs]}
    picture = {"schema": {"type": "string", "format": "binary"}}
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
    return {
        "required": True,
        "description": (
            f"Raw rows of {inputs} bytes an image, 0 black to 255 white; JSON with lists of "
            "fractions 0..1, or of whole numbers 0..255 if one is above 1; one picture as the "
            "body, or several as a form. At most 1,024 images, 64 pictures, 1 MiB."
        ),
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"images": images},
                    "required": ["images"],
                    "additionalProperties": False,
                },
                "examples": {"blank": {"summary": "A black image.", "value": blank}},
            },
            OCTETS: {"schema": {"type": "string", "format": "binary", "minLength": inputs}},
            "image/png": picture,
            "image/jpeg": picture,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"files": files},
                    "required": ["files"],
                }
            },
        },
    }


def body_of_rows(schema: Schema) -> dict[str, Any]:
    """Request body of /v1/predict for a network of a table."""
    cells = {
        column.name: {"type": ["string", "number", "null"] if column.categories else
                      ["number", "null"]}
        for column in schema.columns
    }  # fmt: skip
    example: dict[str, str | float] = {
        column.name: column.categories[0] if column.categories else column.mean
        for column in schema.columns
    }
    named = {
        "type": "object", "properties": cells | {schema.target: {}},
        "required": list(schema.names), "additionalProperties": False,
    }  # fmt: skip
    count = len(cells)
    listed = {"type": "array", "prefixItems": [*cells.values()], "minItems": count,
              "maxItems": count}  # fmt: skip
    rows = {"type": "array", "items": {"anyOf": [named, listed]}, "minItems": 1, "maxItems": 1024}
    return {
        "required": True,
        "description": (
            "Rows, each an object with the columns' names, or a list of their cells in this order; "
            "null is an empty cell. At most 1,024 rows, 1 MiB."
        ),
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"rows": rows},
                    "required": ["rows"],
                    "additionalProperties": False,
                },
                "examples": {"mean": {"summary": "A row of means.", "value": {"rows": [example]}}},
            }
        },
    }


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses for refusals with these statuses."""
    return {status: {"model": Failure, "description": MEANINGS[status]} for status in statuses}


MEANINGS = {
    400: "The request or its body cannot be read",
    401: "No valid token",
    403: "Sent by a page of another origin",
    408: "The request took too long to arrive",
    413: "Too large, or too many images",
    415: "Unsupported content type",
    421: "A Host other than this server",
    422: "Images that do not fit the network, or no digit on a picture",
    429: "Too many requests at once; see Retry-After",
    503: "Not ready, or shutting down",
}
EVERYWHERE = (400, 401, 421)
