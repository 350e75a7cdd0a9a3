"""Readers in threads of one process: what belongs to the process is put back."""

from __future__ import annotations

import io
import warnings
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chainrule.data.readers import numbers
from chainrule.data.readers.columns import Columns
from chainrule.data.readers.images import decode_picture
from helpers.gates import PATIENCE, Gate, overlapping


def test_readers_in_two_threads_leave_the_warning_filters_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture = io.BytesIO()
    Image.new("L", (4, 4)).save(picture, "PNG")
    decoding, parsing = Gate(Image.open), Gate(np.fromstring)
    monkeypatch.setattr(Image, "open", decoding)
    monkeypatch.setattr(np, "fromstring", parsing)
    found: list[Any] = []
    before = list(warnings.filters)
    overlapping(
        (decoding, Thread(target=lambda: found.append(
            decode_picture(picture.getvalue(), "p", side=9, pixels=99)
        ))),
        (parsing, Thread(target=lambda: found.append(
            numbers.numbers(
                b"-0.5,1\n", Columns(b",", (), None, None), 2, name="t", line=1
            )
        ))),
        wait=PATIENCE,
    )  # fmt: skip
    assert len(found) == 2
    assert warnings.filters == before
