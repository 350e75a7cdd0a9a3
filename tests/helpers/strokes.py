"""Digits as a hand draws them: strokes through points of a unit square, for tests that draw."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

Point: TypeAlias = tuple[float, float]
"""(across, down), each 0..1 within the digit's box."""
Strokes: TypeAlias = list[list[Point]]


def arc(across: float, down: float, wide: float, high: float, begin: int, end: int) -> list[Point]:
    """Points of an ellipse around (across, down), angles in degrees, clockwise from the right."""
    steps = max(2, abs(end - begin) // 15)
    angles = [math.radians(begin + (end - begin) * i / steps) for i in range(steps + 1)]
    return [(across + wide * math.cos(a), down + high * math.sin(a)) for a in angles]


DIGITS: dict[int, Strokes] = {
    0: [arc(0.5, 0.5, 0.38, 0.5, -90, 270)],
    1: [[(0.35, 0.2), (0.55, 0.0), (0.52, 1.0)]],
    2: [[*arc(0.5, 0.27, 0.4, 0.27, -170, 40), (0.1, 1.0), (0.95, 0.97)]],
    3: [[*arc(0.45, 0.25, 0.4, 0.25, -150, 90), *arc(0.45, 0.75, 0.45, 0.25, -90, 150)]],
    4: [[(0.45, 0.0), (0.1, 0.6), (0.95, 0.6)], [(0.75, 0.15), (0.7, 1.0)]],
    5: [[(0.9, 0.0), (0.25, 0.02), (0.2, 0.42), *arc(0.45, 0.7, 0.42, 0.3, -110, 140)]],
    6: [[(0.7, 0.0), (0.3, 0.4), *arc(0.5, 0.72, 0.35, 0.28, -180, 180)]],
    7: [[(0.05, 0.03), (0.92, 0.0), (0.4, 1.0)]],
    8: [[*arc(0.5, 0.25, 0.3, 0.25, 90, -270), *arc(0.5, 0.75, 0.36, 0.25, -90, 270)]],
    9: [[*arc(0.5, 0.28, 0.33, 0.28, 0, -360), (0.8, 0.6), (0.6, 1.0)]],
}


def drawn(digit: int, rng: np.random.Generator, *, left: float, top: float, side: float) -> Strokes:
    """One digit's strokes in a box of a page, drawn by a hand that is never quite exact."""
    lean, wide = rng.normal(0, 0.08), rng.normal(0.72, 0.05)
    return [
        [
            (
                left + side * (wide * across + lean * (0.5 - down) + rng.normal(0, 0.008)),
                top + side * (down + rng.normal(0, 0.008)),
            )
            for across, down in stroke
        ]
        for stroke in DIGITS[digit]
    ]
