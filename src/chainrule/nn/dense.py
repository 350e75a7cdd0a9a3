"""Dense layers: the description of one, and stacks of given widths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from chainrule.nn.activations import ACTIVATIONS


@dataclass(frozen=True)
class Dense:
    """A fully connected layer of `fan_out` units, each with `fan_in` weights and a bias."""

    fan_in: int
    fan_out: int
    activation: str = "identity"
    batch_norm: bool = False
    """Normalise each unit's sums over the batch: Z = gamma (A_prev W - mean) / sigma + b."""
    dropout: float = 0.0
    """Fraction of its inputs that each training step drops."""
    noise: float = 0.0
    """Standard deviation of the noise that each training step adds to its inputs."""

    def __post_init__(self) -> None:
        if self.fan_in < 1 or self.fan_out < 1:
            raise ValueError(f"{self}: a layer has at least one input and one unit")
        if not (0 <= self.dropout < 1 and 0 <= self.noise < inf):
            raise ValueError(
                f"{self}: dropout {self.dropout} is a share from 0 to below 1, noise {self.noise} "
                "a standard deviation from 0 up"
            )
        ACTIVATIONS[self.activation]

    def __str__(self) -> str:
        return f"{self.fan_in} -> {self.fan_out} {self.activation}"

    @property
    def stochastic(self) -> bool:
        """True if a training step changes its inputs at random."""
        return bool(self.dropout or self.noise)


def stack(
    widths: Sequence[int],
    activation: str | Sequence[str] = "relu",
    *,
    output: str = "identity",
    batch_norm: bool = False,
    dropout: float = 0.0,
    input_dropout: float = 0.0,
    noise: float = 0.0,
    input_noise: float = 0.0,
) -> list[Dense]:
    """Dense layers of the given widths, see `Network.dense`; ValueError if a list does not fit."""
    hidden = len(widths) - 2
    if hidden < 0:
        raise ValueError(f"widths {list(widths)}: give at least the inputs and the classes")
    names = [activation] * hidden if isinstance(activation, str) else list(activation)
    if len(names) != hidden:
        raise ValueError(
            f"{len(names)} activations for {hidden} hidden layers: "
            "give one for all, or one for each"
        )
    return [
        Dense(
            fan_in,
            fan_out,
            name,
            batch_norm=batch_norm and number < hidden,
            dropout=dropout if number else input_dropout,
            noise=noise if number else input_noise,
        )
        for number, ((fan_in, fan_out), name) in enumerate(
            zip(pairwise(widths), [*names, output], strict=True)
        )
    ]
