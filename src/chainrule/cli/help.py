"""Help pages: usage, description, and options in groups, wrapped between words and never cut."""

from __future__ import annotations

import ast
import inspect
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from shutil import get_terminal_size
from textwrap import TextWrapper
from typing import Any

from typer.core import TyperCommand, TyperGroup

from chainrule.cli.completion import filled
from chainrule.training.options import GROUPS

NARROWEST, WIDEST = 40, 120
"""Range of widths, in columns."""
BESIDE = 76
"""Least width with explanations beside the options, not below them."""
FIRST_COLUMN = 32
SECTIONS = ("arguments", "commands", "options", *GROUPS)


class Command(TyperCommand):
    """Command with a help page of ours."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the page."""
        formatter.write(page(self, ctx, columns()))


class Group(TyperGroup):
    """Command group, the program itself, with a help page of ours."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the page."""
        formatter.write(page(self, ctx, columns()))


def description(command: Callable[..., None]) -> str:
    """The docstring of a command; python -OO drops it, and then it is read from the source."""
    if command.__doc__:
        return command.__doc__
    try:
        tree = ast.parse(Path(command.__code__.co_filename).read_text("utf-8"))
    except OSError:
        return ""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    found = (ast.get_docstring(node) for node in functions if node.name == command.__name__)
    return next(found, None) or ""


def columns() -> int:
    """Width of the terminal, or $COLUMNS."""
    return min(max(get_terminal_size().columns, NARROWEST), WIDEST)


def page(command: TyperCommand | TyperGroup, ctx: Any, width: int) -> str:
    """Help page of a command; no line is longer than `width`, and no word is split."""
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    parts = [_wrapped(f"Usage: {usage}", width, later=" " * len("Usage: "))]
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        parts.append(_wrapped(paragraph, width, first="  ", later="  "))
    sections = _sections(command, ctx)
    for title in sorted(sections, key=SECTIONS.index):
        rows = [_row(name, filled(text), width) for name, text in sections[title]]
        parts.append("\n".join([f"{title.capitalize()}:", *rows]))
    return "\n\n".join(parts) + "\n"


def _sections(command: TyperCommand | TyperGroup, ctx: Any) -> dict[str, list[tuple[str, str]]]:
    """Section -> (name, explanation) of each argument, command and option in it."""
    sections: dict[str, list[tuple[str, str]]] = defaultdict(list)
    if isinstance(command, TyperGroup):
        for name, each in command.commands.items():
            sections["commands"].append((name, inspect.cleandoc(each.help or "").split("\n\n")[0]))
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            section = getattr(parameter, "rich_help_panel", None) or "options"
            is_argument = parameter.param_type_name == "argument"
            sections["arguments" if is_argument else section].append(record)
    return sections


def _row(name: str, text: str, width: int) -> str:
    """Row of an option: explanation beside it, or below on a narrow page or after a long name."""
    column = FIRST_COLUMN if width >= BESIDE else 6
    indent = " " * column
    if not text:
        return f"  {name}"
    if len(name) + 4 > column:
        return f"  {name}\n{_wrapped(text, width, first=indent, later=indent)}"
    return _wrapped(text, width, first=f"  {name}".ljust(column), later=indent)


def _wrapped(text: str, width: int, *, first: str = "", later: str = "") -> str:
    wrapper = TextWrapper(
        width,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapper.fill(" ".join(text.split()))
