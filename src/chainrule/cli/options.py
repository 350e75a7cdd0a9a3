"""Command-line options of the settings, generated from the fields of `Settings`.

Each has its field's type, help and group; its choices are listed and completed from the tables.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeVar

import typer

from chainrule.cli.completion import completer
from chainrule.experiments.recipes import RECIPES
from chainrule.experiments.settings import RULES, TYPES, Settings

Command = TypeVar("Command", bound=Callable[..., None])


def with_settings(*names: str, usual: str) -> Callable[[Command], Command]:
    """Decorator that gives a command an option for each of these settings, by default for all.

    The command receives them as `**settings`, None where not given; `given` reads them. `usual` is
    the default recipe.
    """

    def extended(command: Command) -> Command:
        # Typer reads the signature, which now includes the options.
        signature = inspect.signature(command, eval_str=True)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        options = [_parameter(name, usual) for name in names or RULES]
        vars(command)["__signature__"] = signature.replace(parameters=[*own, *options])
        return command

    return extended


def given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings given on the command line, lists split at their commas."""
    return {
        name: _items(name, value) if _is_list(name) else value
        for name, value in settings.items()
        if value is not None
    }


def option_name(setting: str) -> str:
    """Option of a setting: `--batch-size` for `batch_size`."""
    return f"--{setting.replace('_', '-')}"


def _parameter(name: str, usual: str) -> inspect.Parameter:
    rule, kind, option = RULES[name], TYPES[name], option_name(name)
    words = _is_list(name) or kind is str
    info = typer.Option(
        f"{option}/--no-{option[2:]}" if kind is bool else option,
        help=_help(name, usual),
        metavar=("LIST" if _is_list(name) else "NAME") if words else None,
        rich_help_panel=rule.group,
        autocompletion=completer(rule.choices, listed=_is_list(name)) if rule.choices else None,
    )
    annotation: Any = Annotated[(str if words else kind) | None, info]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _help(name: str, usual: str) -> str:
    """Help, choices and default; where the default recipe's value differs, that too."""
    rule, default, recipe = RULES[name], getattr(Settings, name), getattr(RECIPES[usual], name)
    choices = f" One of {{{name}}}." if rule.choices else ""
    values = [f"default: {_text(default)}"] if default != "" else []
    if recipe != default:
        values.append(f"recipe {usual}: {_text(recipe)}")
    return f"{rule.help}{choices}" + (f" [{'; '.join(values)}]" if values else "")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_list(name: str) -> bool:
    return TYPES[name] in (tuple[int, ...], tuple[str, ...])


def _items(name: str, value: str) -> tuple[Any, ...]:
    items: Iterable[str] = value.split(",")
    if TYPES[name] == tuple[str, ...]:
        return tuple(items)
    try:
        return tuple(map(int, items))
    except ValueError:
        raise typer.BadParameter(
            f"{value!r}: give whole numbers with commas between, such as 784,128,64,10",
            param_hint=option_name(name),
        ) from None
