"""History of a training: its epochs, as a table, as a data frame, as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from chainrule.training.train import Epoch

SHOWN = 10
"""Most epochs shown where the history itself is printed: the first ones and the last ones."""


@dataclass(frozen=True, repr=False)
class History(Sequence[Epoch]):
    """History of a training: a sequence of its epochs."""

    epochs: tuple[Epoch, ...]
    seed: int
    examples: int
    """Number of examples trained on."""

    def __len__(self) -> int:
        return len(self.epochs)

    def __getitem__(self, index: Any) -> Any:
        return self.epochs[index]

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self.epochs)

    def frame(self) -> Any:
        """A pandas DataFrame, an epoch a row. Raises ImportError with the remedy without pandas."""
        try:
            import pandas as pd
        except ImportError:
            raise ImportError("History.frame needs pandas: pip install pandas") from None
        table = pd.DataFrame([asdict(epoch) for epoch in self.epochs])
        return table.dropna(axis="columns", how="all").set_index("epoch")

    def plot(self) -> Any:
        """The learning curves, a matplotlib figure that shows itself in a notebook."""
        from chainrule.plots.learning_curves import curves

        return curves(self.epochs, of=f"Training on {self.examples:,} examples, seed {self.seed}.")

    def __repr__(self) -> str:
        lines = ["  ".join(cell.rjust(12) for cell in row) for row in self._rows()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head, *body = self._rows()
        cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
        rows = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in body
        )
        return f"<table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"

    def _rows(self) -> list[list[str]]:
        """Names, then the epochs, those in the middle left out."""
        names = ["epoch", "loss", "validation loss", "validation", "seconds"]
        table = [
            [str(one.epoch), f"{one.loss:.4f}", _number(one.validation_loss),
             _number(one.validation_score), f"{one.seconds:.2f}"]
            for one in self.epochs
        ]  # fmt: skip
        if len(table) > SHOWN:
            table = [*table[: SHOWN // 2], ["..."] * len(names), *table[-SHOWN // 2 :]]
        kept = [k for k in range(len(names)) if k < 2 or any(row[k] for row in table)]
        return [[row[k] for k in kept] for row in (names, *table)]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
