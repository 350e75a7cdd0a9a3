"""docs/derivation.md as the tests read it: its sections, and their Python to be run."""

from __future__ import annotations

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "derivation.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
SECTIONS = {int(match[1]): match.start() for match in re.finditer(r"^## (\d+) ", TEXT, re.M)}
"""Section -> where its heading starts."""


def body(section: int) -> str:
    """The section's text, from its heading to the next."""
    return TEXT[SECTIONS[section] : SECTIONS.get(section + 1)].rstrip()


def run(section: int) -> None:
    """Executes the section's blocks in order, in one fresh namespace."""
    namespace: dict[str, object] = {"__name__": f"section_{section}"}
    for match in re.finditer(r"^```python\n(.*?)^```$", body(section), re.DOTALL | re.M):
        # Empty lines in front, so that a traceback shows the document's own lines.
        lines_before = TEXT.count("\n", 0, SECTIONS[section] + match.start(1))
        exec(compile("\n" * lines_before + match[1], str(DOCUMENT), "exec"), namespace)
