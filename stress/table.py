"""The table of the stress tests: what was measured, the promise, and whether it held."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measured promise."""

    what: str
    figure: str
    """As measured, with its unit."""
    promise: str = ""
    """The bound that the figure must keep, in words; empty: a figure without one."""
    held: bool = True


def at_most(what: str, value: float, bound: float, unit: str = "", more: str = "") -> Row:
    """A row whose value must not exceed a bound; more: what else there is to say."""
    unit = f" {unit}" if unit else ""
    return Row(what, f"{value:.3g}{unit}{more}", f"<= {bound:g}{unit}", value <= bound)


def none_of(what: str, broken: int, of: str) -> Row:
    """A row that counts broken promises, of so many tried: none may be."""
    return Row(what, f"{broken:,} of {of}", "0", broken == 0)


def print_rows(rows: Iterable[Row]) -> int:
    """Prints each row of a Markdown table as it comes; returns how many promises were broken."""
    print("| what | measured | promised | |\n|---|---|---|---|", flush=True)
    broken = 0
    for row in rows:
        broken += not row.held
        end = ("held" if row.held else "**BROKEN**") if row.promise else ""
        print(f"| {row.what} | {row.figure} | {row.promise} | {end} |", flush=True)
    return broken


def run(
    part: Callable[[bool], Iterator[Row]], name: str, arguments: Sequence[str] | None = None
) -> int:
    """The command line of one part: prints its table; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog=f"python -m stress.{name}", description=part.__doc__)
    parser.add_argument("--short", action="store_true", help="less of everything: minutes")
    return int(print_rows(part(parser.parse_args(arguments).short)) > 0)
