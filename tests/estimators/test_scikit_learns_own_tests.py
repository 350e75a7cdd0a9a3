"""scikit-learn's own tests of its networks, those of the installed version, pass with ours.

Their file is read, the import changed, and run as it is. Left out are the functions that look at
private parts of MLPClassifier; what those promise is held in test_same_numbers.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import sklearn

THEIRS = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
OURS = "from chainrule import NetworkClassifier as MLPClassifier, NetworkRegressor as MLPRegressor"
PRIVATE = {
    "test_fit": "sets coefs_ and the rest by hand before partial_fit",
    "test_gradient": "calls _loss_grad_lbfgs",
    "test_learning_rate_warmstart": "reads _optimizer.learning_rate",
    "test_adaptive_learning_rate": "reads _optimizer.learning_rate",
}
LONG = {"test_n_iter_no_change_inf", "test_n_iter_no_change"}
"""Thousands of epochs."""
FIXTURES = """
import pytest

@pytest.fixture
def global_random_seed():
    return 42
"""


def source() -> str:
    spec = find_spec("sklearn.neural_network.tests.test_mlp")
    if spec is None or spec.origin is None:
        pytest.skip("this scikit-learn comes without its tests")
    return Path(spec.origin).read_text(encoding="utf-8")


def functions(text: str) -> set[str]:
    return {
        node.name
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def run(folder: Path, names: set[str]) -> str:
    """The last line of pytest, for these functions of scikit-learn's file."""
    text = source()
    assert THEIRS in text
    (folder / "conftest.py").write_text(FIXTURES)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_theirs.py").write_text(text.replace(THEIRS, OURS))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis",
         *(f"test_theirs.py::{name}" for name in sorted(names))],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_the_private_functions_are_known_by_name() -> None:
    assert functions(source()) >= PRIVATE.keys() | LONG


def test_all_public_functions_of_their_file_pass(tmp_path: Path) -> None:
    names = functions(source()) - PRIVATE.keys() - LONG
    assert len(names | LONG) >= (37 if sklearn.__version__ >= "1.9" else 33)
    last = run(tmp_path, names)
    passed = re.match(r"(\d+) passed", last)
    assert passed, last
    assert int(passed[1]) >= len(names)
    assert "skipped" not in last


@pytest.mark.long
def test_the_long_ones_of_their_file_pass(tmp_path: Path) -> None:
    assert "passed" in run(tmp_path, LONG)
