"""`chainrule report`: how a run learned and what it came to, as one page that works offline."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.cli.console import Json, Quiet

PNG = b"\x89PNG\r\n\x1a\n"
LEFT_OUT = ("checksums",)
"""Tables of config.toml that say nothing to a reader."""


def report(
    run: Annotated[str, typer.Argument(help="A run's name, or its folder.")],
    page: Annotated[
        Path | None,
        typer.Argument(help="The HTML file to write; report.html in the run's folder."),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write a run into one HTML file: its replay, its figures, its pictures.

    A run that was trained with --watch is replayed in full, another one epoch by epoch.

    Example: chainrule report mine mine.html
    """
    from chainrule.cli.page_files import check_page, write_page
    from chainrule.cli.runs import run_folder
    from chainrule.pages import self_contained

    folder = run_folder(run)
    page = page or folder / "report.html"
    check_page(page)
    content = replay_of(folder)
    text = self_contained("live.html", content)
    write_page(page, text, quiet=quiet, json=json, events=len(content["events"]))


def replay_of(folder: Path) -> dict[str, Any]:
    """What the page shows of a run, as live.js takes it. Raises ConfigError for damaged files."""
    from chainrule.cli.report import PICTURES
    from chainrule.settings import read_tables

    config = read_tables(folder / "config.toml")
    order = {f"{name}.png": number for number, name in enumerate(PICTURES)}
    pictures = sorted(folder.glob("*.png"), key=lambda path: (order.get(path.name, 99), path.name))
    return {
        "kind": "replay",
        "events": _events(folder, config),
        "report": _figures(folder),
        "config": _without_paths(config),
        "pictures": {path.stem: _picture(path) for path in pictures},
    }


def _events(folder: Path, config: dict[str, Any]) -> list[dict[str, Any]]:
    from chainrule.journal import FILE, read_events
    from chainrule.settings import ConfigError

    if (folder / FILE).is_file():
        try:
            events = read_events(folder / FILE)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        if events:
            return events
    history = folder / "history.jsonl"
    if not history.is_file():
        raise ConfigError(f"{folder} has no history.jsonl: let it train to its end first")
    try:
        epochs = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
        told = [{"kind": "epoch"} | epoch for epoch in epochs]
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"{history}: no history of epochs ({error}); train it again") from None
    settings, figures = config.get("settings", {}), _figures(folder) or {}
    begin = {
        "kind": "begin",
        "run": folder.absolute().name,
        "recipe": config.get("run", {}).get("recipe", ""),
        "widths": settings.get("layers"),
        "classes": config.get("data", {}).get("classes", []),
        "epochs": settings.get("epochs"),
        "parameters": figures.get("parameters"),
    }
    accuracy = figures.get("test_accuracy")
    text = f"{100 * accuracy:.2f} % of the test images right" if accuracy else "no figures"
    end = {"kind": "end", "step": 0, "ending": figures.get("ending", "unknown"), "text": text}
    return [begin, *told, end]


def _figures(folder: Path) -> dict[str, Any] | None:
    """report.json, without what only other commands read; None where it is not there or broken."""
    try:
        figures = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(figures, dict):
        return None
    return {name: value for name, value in figures.items() if name != "mistakes"}


def _without_paths(config: dict[str, Any]) -> dict[str, Any]:
    """The tables of config.toml; of the files that it names, the names alone: others read this."""
    tables = {name: dict(table) for name, table in config.items() if isinstance(table, dict)}
    for key in ("source", "test"):
        if path := tables.get("data", {}).get(key):
            tables["data"][key] = Path(str(path)).name
    return {name: table for name, table in tables.items() if name not in LEFT_OUT}


def _picture(path: Path) -> str:
    from chainrule.settings import ConfigError

    raw = path.read_bytes()
    if not raw.startswith(PNG):
        raise ConfigError(f"{path}: no PNG picture; remove it")
    return f"data:image/png;base64,{b64encode(raw).decode('ascii')}"
