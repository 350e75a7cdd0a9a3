"""Writing a page in one file, as `export` and `report` do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chainrule.cli.console import note, print_json


def check_page(page: Path) -> None:
    """Raises ConfigError unless the file's name is that of a page."""
    from chainrule.settings import ConfigError

    if page.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{page}: a page is written; let its name end in .html")


def write_page(page: Path, text: str, *, quiet: bool, json: bool, **figures: Any) -> None:
    """Writes the page and says so; `figures` are told by --json too."""
    from chainrule.files import write_atomically

    html = text.encode()
    write_atomically(page, html)
    if json:
        print_json({"page": str(page), "bytes": len(html)} | figures)
    elif not quiet:
        note(f"{page}: {len(html) / 1e6:.1f} MB; open it in any browser, it needs no network")
