"""Self-contained pages of a run: a network to draw on, or a replay, in one offline HTML file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.core.errors import ConfigError
from chainrule.core.files import write_atomically
from chainrule.core.places import check_file
from chainrule.data.load import Report
from chainrule.runs.folder import find, model_name, read_run, run_folder, say_caveat
from chainrule.runs.origin import silent
from chainrule.runs.replay import replay_of
from chainrule.web.bundle import model_as_dict, self_contained

ENDINGS = (".html", ".htm")


@dataclass(frozen=True)
class WrittenPage:
    """Page written to an HTML file."""

    path: Path
    size: int
    """Bytes."""
    events: int | None = None
    """Number of events in a replay."""

    def as_json(self) -> dict[str, Any]:
        """Path and size; for a replay the number of events too."""
        events = {} if self.events is None else {"events": self.events}
        return {"page": str(self.path), "bytes": self.size} | events


def export_network(run: str, page: Path, *, say: Report) -> WrittenPage:
    """Writes a network as a page to draw on and look inside. Raises ConfigError."""
    check_file(page, *ENDINGS)
    model, _ = read_run(run)
    say_caveat(run, model, say)
    if not model.form:
        raise ConfigError(
            f"{run}: its {model.inputs} inputs are no pictures, or its file does not say of what "
            "form; export a network that was trained on images"
        )
    text = self_contained("index.html", model_as_dict(model, model_name(find(run))))
    return WrittenPage(page, _written(page, text))


def export_replay(run: str, page: Path | None = None, *, say: Report = silent) -> WrittenPage:
    """Writes a run as a page: its replay, its figures, its pictures. Raises ConfigError.

    The default is report.html in the run's folder; `say` gets what is left out, and why.
    """
    folder = run_folder(run)
    page = page or folder / "report.html"
    check_file(page, *ENDINGS)
    content = replay_of(folder, say=say)
    size = _written(page, self_contained("live.html", content))
    return WrittenPage(page, size, events=len(content["events"]))


def _written(page: Path, text: str) -> int:
    html = text.encode()
    write_atomically(page, html)
    return len(html)
