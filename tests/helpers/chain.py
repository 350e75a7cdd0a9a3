"""The links of a network's chain, found by kind."""

from __future__ import annotations

from typing import Any

from chainrule.nn.activations import Activation
from chainrule.nn.network import Workspace


def memory_of(workspace: Workspace, kind: type, i: int) -> Any:
    """The memory of the link of this kind that belongs to dense layer i, from 0."""
    dense = 0
    for layer, memory in workspace.chain:
        if isinstance(layer, kind) and dense == i:
            return memory
        dense += isinstance(layer, Activation)
    raise LookupError(f"dense layer {i} has no {kind.__name__}")
