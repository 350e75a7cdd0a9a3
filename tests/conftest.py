"""What all tests share: shapes checked, floating-point errors raised, oracles, the real MNIST."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
from collections.abc import Iterator
from types import ModuleType
from typing import NoReturn

import hypothesis
import numpy as np
import pytest

from helpers import shapes

shapes.check_shapes_of("chainrule")  # before the first import of chainrule

from chainrule.data.dataset import Dataset, Found, Part  # noqa: E402
from chainrule.data.load import load  # noqa: E402

# No test fails because the machine is busy.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

pytest_plugins = ["helpers.command"]

# No table is as wide as the terminal that the tests happen to run in.
os.environ.pop("COLUMNS", None)

# Who starts the tests in the background may ignore these; the processes that they start would too.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

REQUIRE = "CHAINRULE_REQUIRE_ORACLES"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Each test has its own calls checked."""
    shapes.begin(item)


def oracle(name: str) -> ModuleType:
    """The module to compare with; without it the test is skipped, or fails where it is required."""
    try:
        return importlib.import_module(name)
    except ImportError:
        missing(f"{name} is not installed: pip install 'chainrule[dev]' to compare with it")


def missing(reason: str) -> NoReturn:
    """Skips the test, or fails it where all that tests may compare with is required."""
    if os.environ.get(REQUIRE):
        pytest.fail(f"{reason} ({REQUIRE} is set)")
    pytest.skip(reason)


def node() -> str:
    """The program that runs JavaScript outside a browser; without it the test is skipped."""
    program = shutil.which("node")
    if program is None:
        missing("node is not installed: install Node.js 18 or later to test the page's arithmetic")
    return program


@pytest.fixture(scope="session", autouse=True)
def _floating_point_errors_are_raised() -> Iterator[None]:
    """An overflow, a division by zero or an invalid operation fails the test that causes it.

    Not an underflow: exp(-1e4) is meant to be 0, and what is too small to be held is off by less
    than 1e-37, far below any rounding. NumPy itself says nothing about it either.
    """
    with np.errstate(over="raise", divide="raise", invalid="raise", under="ignore"):
        yield


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    return oracle("torch")


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    """The real data, found or fetched as a user's would be."""
    return load("mnist")


@pytest.fixture(scope="session")
def sample(mnist: Dataset) -> Found:
    """The first 210 training and 70 test digits (no 8 is among the first 60), as bytes."""

    def part(images: np.ndarray, labels: np.ndarray, count: int) -> Part:
        pixels = np.rint(images[:count] * 255).astype(np.uint8)
        return Part(pixels.reshape(count, 28, 28), labels[:count].copy())

    return Found(part(*mnist.train, 210), part(*mnist.test, 70))
