"""Takes the README's two pictures of the pages, of a run that was trained with --watch.

chainrule train --recipe fast --seed 0 --epochs 12 --watch --no-open --run watched
python tests/web/pictures.py runs/watched docs/pictures
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright
from strokes import drawn

SIZE = {"width": 1280, "height": 985}


def draw_a_three(page: Any) -> None:
    """By mouse, as people do; then one neuron of the first layer is chosen."""
    page.wait_for_selector("#page:not([hidden])")
    box = page.locator("#sheet").bounding_box()
    for stroke in drawn(3, np.random.default_rng(1), left=0.3, top=0.2, side=0.6):
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=4)
        page.mouse.up()
    page.locator("#layers canvas").first.click(position={"x": 100, "y": 120})
    page.mouse.move(2, 2)


def main(run: Path, folder: Path) -> None:
    """page.png and live.png into the folder."""
    executable = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as driver:
        drawing, replay = Path(temporary) / "page.html", Path(temporary) / "report.html"
        for command, path in (("export", drawing), ("report", replay)):
            subprocess.run(
                [sys.executable, "-m", "chainrule", command, str(run), str(path)], check=True
            )
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
        page.goto(drawing.as_uri())
        draw_a_three(page)
        page.wait_for_timeout(500)
        page.screenshot(path=folder / "page.png", full_page=True)
        page.goto(replay.as_uri())
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / "live.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
