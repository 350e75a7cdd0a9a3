"""`chainrule export`: a network as one page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from chainrule.nn.model_file import Model, save
from chainrule.nn.network import Network


def test_a_run_becomes_one_page_with_its_weights_inside(chainrule, mine, tmp_path: Path) -> None:
    result = chainrule("export", "mine", "page.html")
    assert result.code == 0
    assert re.fullmatch(r"page\.html: [0-9.]+ MB; open it in any browser.*\n", result.err)
    html = (tmp_path / "page.html").read_text()
    data = re.search(r'id="embedded">(.*?)</script>', html)
    assert data
    description = json.loads(data[1])
    assert description["name"] == "mine"
    assert description["classes"] == list("0123456789")


def test_json_tells_the_page_and_its_size(chainrule, mine, tmp_path: Path) -> None:
    found = json.loads(chainrule("export", "mine", "page.html", "--json").out)
    assert found == {"page": "page.html", "bytes": (tmp_path / "page.html").stat().st_size}


@pytest.mark.parametrize(
    ("page", "code", "sentence"),
    [
        ("page.pdf", 2, "page.pdf: give it a name ending in .html"),
        ("nowhere/page.html", 2, "nowhere/page.html: there is no folder nowhere; make it first"),
    ],
)
def test_a_page_that_cannot_be_written_is_one_sentence(
    chainrule, mine, page: str, code: int, sentence: str
) -> None:
    result = chainrule("export", "mine", page)
    assert (result.code, result.err.count("\n")) == (code, 1)
    assert sentence in result.err


def test_a_network_for_inputs_of_no_known_form_is_refused(chainrule, tmp_path: Path) -> None:
    network = Network.dense([64, 3], rng=np.random.default_rng(0))
    save(Model(network, shape=(8, 8)), tmp_path / "small.safetensors")
    result = chainrule("export", "small.safetensors", "page.html")
    assert result.code == 2
    assert "its file does not say of what form" in result.err
    assert not (tmp_path / "page.html").exists()
