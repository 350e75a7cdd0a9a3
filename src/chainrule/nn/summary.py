"""Summary of a network as a table: its layers, their shapes and parameters, as text and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from chainrule.nn.dense import Dense

COLUMNS = ("layer", "weights", "activation", "in training", "parameters")


@dataclass(frozen=True)
class Summary:
    """Summary of a network: what its layers are, not their numbers."""

    layers: tuple[Dense, ...]
    link: str
    dtype: Any

    def one_line(self) -> str:
        """Widths and activations, as `784 -> 128 relu -> 10`, and what they hold."""
        units = [f"{layer.fan_out}{_named(layer.activation)}" for layer in self.layers]
        widths = " -> ".join([str(self.layers[0].fan_in), *units])
        count = sum(map(_parameters, self.layers))
        return f"{widths}, {self.link}: {count:,} parameters, {self.dtype}"

    def as_text(self) -> str:
        """The table as text, under its line."""
        table = [COLUMNS, *self._rows()]
        widths = [max(len(row[k]) for row in table) for k in range(len(COLUMNS))]
        lines = [_line(row, widths) for row in table]
        return "\n".join([self.one_line(), "", *lines])

    def as_html(self) -> str:
        """The table as HTML, for a notebook."""
        body = "".join(f"<tr>{_cells(row, 'td')}</tr>" for row in self._rows())
        return (
            f"<table><caption>{escape(self.one_line())}</caption>"
            f"<thead><tr>{_cells(COLUMNS, 'th')}</tr></thead><tbody>{body}</tbody></table>"
        )

    def _rows(self) -> list[tuple[str, ...]]:
        """A row for each layer, under COLUMNS."""
        found: list[tuple[str, ...]] = []
        for number, layer in enumerate(self.layers, 1):
            extra = [
                *([f"dropout {layer.dropout:g}"] if layer.dropout else []),
                *([f"noise {layer.noise:g}"] if layer.noise else []),
                *(["batch norm"] if layer.batch_norm else []),
            ]
            shape, count = f"{layer.fan_in} x {layer.fan_out}", f"{_parameters(layer):,}"
            found.append((str(number), shape, layer.activation, ", ".join(extra), count))
        return found


def _parameters(layer: Dense) -> int:
    """Weights, biases and, with batch normalisation, its scales."""
    return (layer.fan_in + 1 + layer.batch_norm) * layer.fan_out


def _named(activation: str) -> str:
    return "" if activation == "identity" else f" {activation}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Cells beside each other, the last one flush right."""
    cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
    return "  ".join([*cells, row[-1].rjust(widths[-1])])


def _cells(row: Sequence[str], tag: str) -> str:
    return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
