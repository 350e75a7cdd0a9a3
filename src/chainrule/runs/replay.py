"""Replay of a run: its events, figures, settings and pictures, as its page reads them."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

from chainrule.core.errors import ConfigError, NewerFormatError
from chainrule.core.files import is_file, read_own
from chainrule.data.load import Report
from chainrule.experiments.settings import RULES
from chainrule.monitor.event_values import check_story
from chainrule.monitor.events import FILE, finite, read_events
from chainrule.runs.files import LARGEST, read_history, read_report
from chainrule.runs.origin import silent
from chainrule.runs.pictures import PICTURES
from chainrule.runs.values import TABLES, believed, read_config

PNG = b"\x89PNG\r\n\x1a\n"


LEFT_OUT = ("checksums",)
"""Tables of config.toml left out of the page."""
UNSEEN = ("mistakes", "rates", "losses")
"""Figures that only other commands read."""
MOST_CELLS = 60
"""Classes of a confusion matrix in the page: of more, the browser's time is lost on its cells."""


def replay_of(folder: Path, *, say: Report = silent) -> dict[str, Any]:
    """Replay of a run, as live_page.js reads it; `say` gets what is left out, and why.

    Raises ConfigError for damaged files.
    """
    config = read_config(folder / "config.toml")
    order = {f"{name}.png": number for number, name in enumerate(PICTURES)}
    figures = _figures(folder, say)
    pictures = sorted(folder.glob("*.png"), key=lambda path: (order.get(path.name, 99), path.name))
    return {
        "kind": "replay",
        "events": _events(folder, config, figures or {}),
        "report": figures,
        "config": _without_paths(config),
        "pictures": {path.stem: _picture(path) for path in pictures},
    }


def _events(folder: Path, config: dict[str, Any], figures: dict[str, Any]) -> list[dict[str, Any]]:
    if is_file(folder / FILE):
        try:
            events = read_events(folder / FILE)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        try:
            check_story(events)
        except ValueError as error:
            raise ConfigError(f"{folder / FILE}, {error}; remove the file") from None
        if events:
            return events
    history = folder / "history.jsonl"
    if not is_file(history):
        raise ConfigError(f"{folder} has no history.jsonl: train it to the end first")
    try:
        told = [{"kind": "epoch"} | finite(epoch) for epoch in read_history(folder)]
    except (OSError, ValueError) as error:
        raise ConfigError(str(error)) from None
    settings = config.get("settings", {})
    begin = {
        "kind": "begin",
        "run": folder.absolute().name,
        "recipe": config.get("run", {}).get("recipe", ""),
        "widths": settings.get("layers"),
        "classes": config.get("data", {}).get("classes", []),
        "epochs": settings.get("epochs"),
        "parameters": figures.get("parameters"),
    }
    text = "; ".join(filter(None, (_accuracy_in_words(figures), figures.get("warning"))))
    end = {"kind": "end", "step": 0, "ending": figures.get("ending", "unknown"), "text": text}
    return [begin, *told, end]


def _accuracy_in_words(figures: dict[str, Any]) -> str:
    accuracy, errors = figures.get("test_accuracy"), figures.get("errors")
    if accuracy is None:
        return "no figures"
    images = figures.get("test_images") or sum(map(sum, figures.get("confusion") or []))
    of = f"{images:,}" if images else "the"
    return f"{100 * accuracy:.2f} % of {of} test images right" + (
        "" if errors is None else f", {errors:,} wrong"
    )


def _figures(folder: Path, say: Report) -> dict[str, Any] | None:
    """What can be believed of report.json; None where it is missing or damaged."""
    try:
        figures, said = believed(read_report(folder))
    except NewerFormatError:
        raise
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        say(f"left out, all figures: {error}")
        return None
    for what in said:
        say(f"left out: {folder / 'report.json'}: {what}")
    if len(figures.get("confusion", ())) > MOST_CELLS:
        del figures["confusion"]  # its picture is there
    return {name: value for name, value in figures.items() if name not in UNSEEN}


def _without_paths(config: dict[str, Any]) -> dict[str, Any]:
    """Tables of config.toml, with file names in place of paths, as the page may be shared."""
    tables = {name: dict(table) for name, table in config.items() if name in TABLES}
    if "settings" in tables:
        tables["settings"] = {n: value for n, value in tables["settings"].items() if n in RULES}
    for key in ("source", "test"):
        if path := tables.get("data", {}).get(key):
            tables["data"][key] = Path(path).name
    return {name: table for name, table in tables.items() if name not in LEFT_OUT}


def _picture(path: Path) -> str:
    try:
        raw = read_own(path, LARGEST, follow_links=False)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    if not raw.startswith(PNG):
        raise ConfigError(f"{path}: not a PNG picture; remove it")
    return f"data:image/png;base64,{b64encode(raw).decode('ascii')}"
