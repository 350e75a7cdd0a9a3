"""Pictures to read in tests: drawings of random strokes, digits pasted; and what node reads."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from chainrule.nn.preprocessing import MNIST, Preprocessing
from conftest import node

SIDE = 280
BOMB = Path(__file__).parents[2] / "stress" / "corpus" / "picture" / "65535x65535"
"""Some bytes that claim more pixels than Pillow itself would open."""
READER = """
import { readFileSync, writeFileSync } from "node:fs";
import { find, normalize, seenBy } from "./preprocess.js";

const { asked, form } = JSON.parse(readFileSync("asked.json"));
const bytes = readFileSync("pictures");
const numbers = [];
const answers = [];
let at = 0;
for (const { width, height, what } of asked) {
  const data = new Uint8ClampedArray(bytes.buffer, bytes.byteOffset + at, 4 * width * height);
  at += 4 * width * height;
  try {
    if (what === "normalize") {
      numbers.push(normalize({ width, height, data }, form));
      answers.push([null]);
    } else if (what === "seenBy") {
      const seen = seenBy({ width, height, data }, form, false);
      numbers.push(...seen.digits.map((digit) => digit.pixels));
      answers.push(seen.digits.map(() => seen.notes));
    } else {
      const digits = find({ width, height, data }, form);
      numbers.push(...digits.map((digit) => digit.pixels));
      answers.push(digits.map((d) => [d.row, d.column, d.height, d.width, d.line]));
    }
  } catch (error) {
    answers.push(error.message);
  }
}
writeFileSync("numbers", Buffer.concat(numbers.map((p) => Buffer.from(p.buffer))));
writeFileSync("answers.json", JSON.stringify(answers));
"""


def drawing(rng: np.random.Generator) -> np.ndarray:
    """A canvas (280, 280) of one to three strokes with a round brush, anywhere, black on white."""
    image = Image.new("L", (2 * SIDE, 2 * SIDE), 255)
    draw = ImageDraw.Draw(image)
    brush = int(rng.integers(6, 60))
    for _ in range(rng.integers(1, 4)):
        points = rng.uniform(60, 2 * SIDE - 60, (int(rng.integers(2, 6)), 2))
        draw.line([(x, y) for x, y in points], 0, brush, joint="curve")
        for x, y in points:
            draw.ellipse([x - brush / 2, y - brush / 2, x + brush / 2, y + brush / 2], 0)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX))


def pasted(
    images: Sequence[np.ndarray],
    places: Sequence[tuple[int, int]],
    *,
    shape: tuple[int, int] = (200, 480),
    side: int = 56,
) -> np.ndarray:
    """MNIST images (28, 28) in 0..1, each `side` pixels, with their corners at (row, column)."""
    sheet = np.full(shape, 255, np.uint8)
    for image, (row, column) in zip(images, places, strict=True):
        large = Image.fromarray(np.rint(image * 255).astype(np.uint8)).resize((side, side))
        place = sheet[row : row + side, column : column + side]
        np.minimum(place, 255 - np.asarray(large), out=place)
    return sheet


def read_by_node(
    pictures: Sequence[np.ndarray],
    what: str,
    folder: Path,
    form: Preprocessing = MNIST,
    shape: tuple[int, int] = (28, 28),
) -> list[tuple[list[Any] | str, np.ndarray]]:
    """What web/static/preprocess.js says of pictures (h, w), (h, w, 3) or (h, w, 4) in bytes.

    `what` is normalize, find or seenBy. For each picture: (its boxes with their lines, or its
    notes, or the error; pixels (n, h, w)). Without node the test is skipped, or fails where oracles
    are required.
    """
    program = node()
    for file in (files("chainrule") / "web" / "static").iterdir():
        if file.name.endswith(".js"):
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "reader.js").write_text(READER)
    with (folder / "pictures").open("wb") as stream:
        for picture in pictures:
            stream.write(_rgba(picture).tobytes())
    asked = [{"width": p.shape[1], "height": p.shape[0], "what": what} for p in pictures]
    sides = {"height": shape[0], "width": shape[1]}
    (folder / "asked.json").write_text(json.dumps({"asked": asked, "form": sides | form.as_json()}))
    subprocess.run([program, "reader.js"], cwd=folder, check=True)
    answers = json.loads((folder / "answers.json").read_text())
    counts = [0 if isinstance(answer, str) else len(answer) for answer in answers]
    numbers = np.fromfile(folder / "numbers", np.float32).reshape(-1, *shape)
    parts = np.split(numbers, np.cumsum(counts)[:-1])
    return list(zip(answers, parts, strict=True))


def _rgba(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).convert("RGBA"))
