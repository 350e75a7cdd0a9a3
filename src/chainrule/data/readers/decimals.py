"""Decimal fractions in text: a block of lines as float32, without a Python loop over the values.

Marks, that is commas, line ends and points, cut the text into runs of digits. Each run is a whole
number, made digit by digit for all runs at once; two of them with a point between them are

    (whole * 10**places + fraction) / 10**places

which is exact up to 2**53 and 10**22, where float64 holds both numbers, so that one rounding is
left (Clinger, "How to read floating point numbers accurately", 1990). Above, the last bits of
float64 may differ from the nearest; a field where that could change its float32 is read by itself.
"""

from __future__ import annotations

import numpy as np

from chainrule.core.arrays import Array

COMMA, NEWLINE, POINT, ZERO, NINE = b",\n.09"
LONGEST_RUN = 18
"""Digits of a whole number that 64 bits hold, with one digit before them."""
EXACT = 2**53
POWERS = np.array([10**k for k in range(LONGEST_RUN + 1)], np.uint64)
FLOATS = POWERS.astype(np.float64)
PIECE = 64 * 1024
FEW = 16
"""One field in so many may be read by itself."""
TAIL = 29
"""Bits of float64 that float32 does not have."""
MARGIN = 16
"""Units in the last place of float64, many times the error of the roundings here."""
SMALLEST = 1e-30
"""Below it float32 has fewer bits."""


def decimals(block: bytes, columns: int) -> Array | None:
    """Rows of whole lines (R, columns) float32; None where their fields must be read one by one.

    In pieces that stay in the processor's cache, which makes it twice as fast.
    """
    pieces, start = [], 0
    while start < len(block):
        stop = block.rfind(b"\n", start, start + PIECE) + 1 or block.find(b"\n", start) + 1
        rows = _decimals(block[start:stop], columns) if stop else None
        if rows is None:
            return None
        pieces.append(rows)
        start = stop
    return np.concatenate(pieces) if pieces else None


def _decimals(block: bytes, columns: int) -> Array | None:
    """Rows of a block (R, columns) float32; None where its fields have to be read one by one.

    That is: a value outside 0..255, another number of columns, what is no number, or many fields
    of other forms than 0.25, 7, or all of them 1.23e+45. A few others are read each by itself.
    """
    text = np.frombuffer(block, np.uint8)
    marks = np.flatnonzero((text < ZERO) | (text > NINE))
    kinds = text[marks]
    ends = np.flatnonzero((kinds == COMMA) | (kinds == NEWLINE))
    if not len(ends) or len(ends) % columns:
        return None
    lines = kinds[ends].reshape(-1, columns) == NEWLINE
    if lines[:, :-1].any() or not lines[:, -1].all():
        return None
    lengths = np.diff(marks, prepend=-1) - 1
    if _repeats(kinds, (b".", b"eE", b"+-", b",\n")):
        values, odd = _scientific(text, marks, kinds, lengths)
    else:
        values, odd = _plain(text, marks, kinds, lengths, ends)
    if not _read_each(block, values, odd, marks[ends]) or values.max() > 255:
        return None
    return values.astype(np.float32).reshape(-1, columns)


def _read_each(block: bytes, values: Array, odd: Array, ends: Array) -> bool:
    """Reads the odd fields one by one; False where they are too many, or one is no number."""
    fields = np.flatnonzero(odd)
    if len(fields) * FEW > len(values):
        return False
    for field in fields:
        start = ends[field - 1] + 1 if field else 0
        number = block[start : ends[field]]
        if number.translate(None, b"0123456789.eE+-"):
            return False
        try:
            values[field] = float(number)
        except ValueError:
            return False
        if not 0 <= values[field] <= 255:
            return False
    return True


def _repeats(kinds: Array, form: tuple[bytes, ...]) -> bool:
    """Whether the marks are these, again and again."""
    if len(kinds) % len(form):
        return False
    table = kinds.reshape(-1, len(form))
    return all(np.isin(table[:, k], [*marks]).all() for k, marks in enumerate(form))


def _plain(
    text: Array, marks: Array, kinds: Array, lengths: Array, ends: Array
) -> tuple[Array, Array]:
    """(values, which are odd) of fields such as 0.25, 7 and 0; `ends` are the marks behind them."""
    inside = np.diff(ends, prepend=-1) - 1
    pointed = (inside == 1) & (kinds[ends - 1] == POINT)
    odd = (inside > 1) | (inside == 1) & ~pointed | (lengths[ends] < 1)
    odd |= (lengths[ends] > LONGEST_RUN) | pointed & (lengths[ends - 1] < 1)
    places = np.where(pointed, np.minimum(lengths[ends], LONGEST_RUN), 0)
    last = _whole(text, marks[ends], np.minimum(lengths[ends], LONGEST_RUN))
    before = np.where(pointed, np.minimum(lengths[ends - 1], LONGEST_RUN), 0)
    return _scaled(_whole(text, marks[ends - 1], before), last, places, 0, odd)


def _scientific(text: Array, marks: Array, kinds: Array, lengths: Array) -> tuple[Array, Array]:
    """(values, which are odd) of fields that are all of the form 1.23e+45."""
    kinds, lengths = kinds.reshape(-1, 4), lengths.reshape(-1, 4)
    odd = (lengths[:, (0, 1, 3)] < 1).any(axis=1) | (lengths[:, 2] > 0) | (lengths[:, 3] > 2)
    odd |= lengths[:, 1] > LONGEST_RUN
    lengths = np.minimum(lengths, LONGEST_RUN)
    runs = _whole(text, marks, lengths.reshape(-1)).reshape(-1, 4)
    power = np.minimum(runs[:, 3], 99).astype(np.int64)
    np.negative(power, out=power, where=kinds[:, 2] == ord("-"))
    return _scaled(runs[:, 0], runs[:, 1], lengths[:, 1], power, odd)


def _whole(text: Array, marks: Array, lengths: Array) -> Array:
    """Whole numbers of the runs of digits that end before these marks; 0 for an empty run."""
    values = np.zeros(len(marks), np.uint64)
    shortest, longest = int(lengths.min()), int(lengths.max())
    for digit in range(longest):
        if digit < shortest:
            values += (text[marks - (digit + 1)] - ZERO) * POWERS[digit]
        else:
            longer = np.flatnonzero(lengths > digit)
            values[longer] += (text[marks[longer] - (digit + 1)] - ZERO) * POWERS[digit]
    return values


def _scaled(
    whole: Array, fraction: Array, places: Array, power: Array | int, odd: Array
) -> tuple[Array, Array]:
    """((whole * 10**places + fraction) * 10**(power - places), which are odd).

    Odd are also those whose float32 is not sure.
    """
    odd = odd | (whole > 9) & ((places > LONGEST_RUN - 2) | (whole > 999))
    digits = whole * POWERS[places] + fraction
    if isinstance(power, int):
        values = digits / FLOATS[places]
        if digits.max() <= EXACT:
            return values, odd
    else:
        exponent = power - places
        scale = 10.0 ** np.abs(exponent)
        values = np.where(exponent < 0, digits / scale, digits * scale)
    return values, odd | ~_same_float32(values)


def _same_float32(values: Array) -> Array:
    """Whether a few units in the last place of float64 change the value in float32: which not."""
    tails = (values.view(np.uint64) & np.uint64(2**TAIL - 1)).astype(np.int64)
    near = np.abs(tails - 2 ** (TAIL - 1)) <= MARGIN
    same: Array = ~near & ((values >= SMALLEST) | (values == 0))
    return same
