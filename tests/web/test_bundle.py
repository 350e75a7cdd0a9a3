"""The pages' files, and one page in one file."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from hashlib import sha256

import numpy as np
import pytest

from chainrule.nn.model_file import Model
from chainrule.nn.network import Network
from chainrule.web.bundle import files, model_as_dict, self_contained

LATEST = re.compile(r'(?:src|href)="(?!data:)([^"]+)"')


@pytest.fixture
def model() -> Model:
    network = Network.dense([4, 3, 2], batch_norm=True, rng=np.random.default_rng(0))
    return Model(network, ("</script>", "b"), (2, 2))


def test_every_file_that_a_page_names_is_there_and_none_is_fetched_from_elsewhere() -> None:
    given = files()
    named = set()
    for name, content in given.items():
        text = content.decode()
        if name.endswith(".html"):
            named |= set(LATEST.findall(text))
        if name.endswith(".js"):
            named |= set(re.findall(r'from "\./([^"]+)"', text))
        assert "//" not in re.sub(r"^\s*//.*$|http://www.w3.org/\S+", "", text, flags=re.M), name
    assert named <= set(given)


def test_the_weights_are_those_that_predict_with_normalisation_folded_away(model: Model) -> None:
    layers = model_as_dict(model, "m")["members"][0]["layers"]
    folded = model.members[0].folded()
    for layer, W, b in zip(layers, folded.W, folded.b, strict=True):
        assert np.array_equal(np.frombuffer(b64decode(layer["W"]), "<f4").reshape(W.shape), W)
        assert np.array_equal(np.frombuffer(b64decode(layer["b"]), "<f4"), b)


def test_one_file_holds_its_data_whatever_the_names_in_them(model: Model) -> None:
    description = model_as_dict(model, "m")
    html = self_contained("index.html", description)
    data = re.search(r'<script type="application/json" id="embedded">(.*?)</script>', html)
    assert data is not None
    assert json.loads(data[1]) == description


@pytest.mark.parametrize("page", [name for name in files() if name.endswith(".html")])
def test_one_file_names_no_other_and_its_policy_the_hash_of_each_script(page: str) -> None:
    html = self_contained(page, {})
    assert LATEST.findall(html) == []
    scripts = re.findall(r'<script type="module">(.*?)</script>', html, flags=re.S)
    assert scripts
    policy = html[html.index("default-src") : html.index('">', html.index("default-src"))]
    for script in scripts:
        assert not re.search(r"^(import|export) ", script, flags=re.M)
        assert f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in policy
    assert "unsafe" not in policy
