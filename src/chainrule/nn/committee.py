"""Ensemble (committee) of networks: predicts the mean of their probabilities.

    p(k | x) = (p_1(k | x) + ... + p_M(k | x)) / M

Networks with different initial weights err on different images, and the mean outvotes the one
that is wrong (Hansen and Salamon, IEEE PAMI 12, 1990; for digits Ciresan et al., arXiv 1103.4487,
2011).
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.core.arrays import Array, Float, Int
from chainrule.nn.network import Network


@dataclass(frozen=True)
class Committee:
    """Ensemble of networks with the same inputs, classes and precision; all else may differ."""

    members: tuple[Network, ...]

    def __post_init__(self) -> None:
        """Raises ValueError without members, or for members that do not fit together."""
        if not self.members:
            raise ValueError("a committee has at least one member")
        first = self.members[0]
        for number, member in enumerate(self.members[1:], 2):
            for what, one, other in (
                ("inputs", first.widths[0], member.widths[0]),
                ("classes", first.widths[-1], member.widths[-1]),
                ("precision", first.dtype, member.dtype),
            ):
                if one != other:
                    raise ValueError(
                        f"member {number} has {what} {other}, member 1 {one}: they must agree"
                    )

    def predict_proba(self, X: Float[Array, "N n"]) -> Float[Array, "N K"]:
        """Class probabilities of each row of X, (N, K): the mean over the members."""
        mean = self.members[0].predict_proba(X)
        for member in self.members[1:]:
            mean += member.predict_proba(X)
        mean /= len(self.members)
        return mean

    def predict(self, X: Float[Array, "N n"]) -> Int[Array, " N"]:
        """The most probable class of each row of X, (N,)."""
        predicted: Array = self.predict_proba(X).argmax(axis=1)
        return predicted
