"""Remarks on data: what a person should know before training on them."""

from __future__ import annotations

from collections.abc import Sequence

MOST_NAMED = 6
"""Most classes named in a sentence."""


def named(labels: Sequence[int], classes: Sequence[str]) -> str:
    """Names of these classes, for the beginning of a sentence in the singular.

    >>> named([0, 2], ["ant", "bee", "cat"])
    'each of the classes ant, cat'
    """
    names = [classes[label] for label in labels[:MOST_NAMED]]
    if len(labels) == 1:
        return f"class {names[0]}"
    more = f" and {len(labels) - MOST_NAMED} more" if len(labels) > MOST_NAMED else ""
    return f"each of the classes {', '.join(names)}{more}"
