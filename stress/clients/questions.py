"""What every client asks, and which answers are right.

A client is a program: PROGRAM ADDRESS FOLDER. It prints a line for each answer: the question, the
status, the header Content-Length ("-": none), the body in base64; between them tabs.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from chainrule.nn.model_file import Model

PREDICT = "/v1/predict"
GETS = ("/healthz", "/v1/model", "/v1/weights", "/openapi.json", "/")
"""Addresses that are asked by GET, then by HEAD; the weights are large, and packed if wished."""
BODIES = {
    "json": "application/json",
    "picture": "image/png",
    "large": "application/json",
    "refused": "application/octet-stream",
}
"""File of a body, in the client's folder -> its type; form: the picture in a form."""
LARGE = 300
"""Images of the large body: 0.8 MB."""
REFUSED = 3 * 2**20
"""Bytes of the body that is refused: more than fit into the buffers on the way."""


class Answer(NamedTuple):
    """One answer, as a client saw it."""

    status: int
    length: str
    body: bytes


@dataclass(frozen=True)
class Right:
    """The right answers: the model's."""

    model: Model
    images: np.ndarray

    def classes(self, question: str) -> list[int] | None:
        """Classes of the images that a question sends; None: as many as there are, any of them."""
        count = {"json": 1, "large": LARGE}.get(question)
        if count is None:
            return None
        return self.model.predict_proba(self.images[:count]).argmax(axis=1).tolist()


def write_bodies(folder: Path) -> np.ndarray:
    """Writes the bodies into the folder; returns the images of the JSON ones, 0..1."""
    pixels = np.random.default_rng(0).integers(0, 256, (LARGE, 784), np.uint8)
    for name, count in (("json", 1), ("large", LARGE)):
        (folder / name).write_text(
            json.dumps({"images": pixels[:count].tolist()}, separators=(",", ":"))
        )
    (folder / "refused").write_bytes(bytes(REFUSED))
    sheet = np.full((120, 100), 255, np.uint8)
    sheet[20:100, 46:54] = 0
    Image.fromarray(sheet).save(folder / "picture", "PNG")
    return np.asarray(pixels / np.float32(255), np.float32)


def read_answers(printed: str) -> dict[str, Answer]:
    """The answers that a client printed; ValueError for anything else."""
    answers = {}
    for line in printed.splitlines():
        question, status, length, body = line.split("\t")
        answers[question] = Answer(int(status), length, base64.b64decode(body))
    return answers


def wrong(answers: Mapping[str, Answer], right: Right, *, forms: bool) -> list[str]:
    """Questions without their right answer, each with what is wrong about it."""
    asked = [*(f"GET {path}" for path in GETS), *(f"HEAD {path}" for path in GETS), *BODIES]
    found = []
    for question in [*asked, *(["form"] if forms else [])]:
        answer = answers.get(question)
        what = "no answer" if answer is None else _wrong(question, answer, answers, right)
        if what:
            found.append(f"{question}: {what}")
    return found


def _wrong(question: str, answer: Answer, answers: Mapping[str, Answer], right: Right) -> str:
    """What is wrong with an answer; empty: nothing."""
    status = 413 if question == "refused" else 200
    if answer.status != status:
        return f"status {answer.status} instead of {status}"
    method, _, path = question.partition(" ")
    if method == "HEAD":
        if answer.body:
            return f"a body of {len(answer.body)} bytes"
        get = answers.get(f"GET {path}")
        # A client that unpacks a body no longer tells the length that was sent.
        said = get and get.length != "-" and answer.length != get.length
        return f"length {answer.length}, of GET {get.length}" if get and said else ""
    if question == "refused":
        return "" if b'"error"' in answer.body else "no sentence"
    if method == "GET":
        return "" if answer.body else "no body"
    return _wrong_predictions(question, answer.body, right)


def _wrong_predictions(question: str, body: bytes, right: Right) -> str:
    try:
        told: Any = json.loads(body)["predictions"]
        digits = [one["digit"] for one in told]
    except (ValueError, KeyError, TypeError) as error:
        return f"not predictions ({error})"
    classes = right.classes(question)
    if classes is None:
        return "" if len(digits) == 1 else f"{len(digits)} digits on a picture of one"
    return "" if digits == classes else "other classes than the model's"
