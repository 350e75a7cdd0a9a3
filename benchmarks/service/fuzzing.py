"""Requests that Schemathesis makes up from /openapi.json, right ones and wrong ones, by thousands.

The network is a small one, with images of 2 x 3 pixels: then many of those made up are right.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.service.parts import Goal
from benchmarks.service.servers import serving
from chainrule.nn.model_file import Model, save
from chainrule.nn.network import Network

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_schema_conformance", "response_headers_conformance", "unsupported_method",
    "allow_header_conformance",
)  # fmt: skip
AT_ONCE = 2
CASES = 5100
"""In each of them."""


def small_model() -> Model:
    """Images of 2 x 3 pixels in three classes."""
    network = Network.dense((6, 5, 3), rng=np.random.default_rng(0))
    return Model(network, ("a", "b", "c"), (2, 3))


def fuzz(port: int, cases: int, seed: int) -> dict[str, Any]:
    """Schemathesis' report of so many cases (and some more) against the service on this port."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable, "-m", "schemathesis.cli", "run",
            f"http://127.0.0.1:{port}/openapi.json", "--checks", ",".join(CHECKS),
            "--phases", "examples,coverage,fuzzing", "--max-examples", str(cases),
            "--continue-on-failure", "--generation-database", "none", "--seed", str(seed),
            "--suppress-health-check", "all", "--no-color", "--report", "json",
            "--report-dir", folder, "--report-json-path", str(report),
        ]  # fmt: skip
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=folder, env=dict(os.environ)
        )
        if not report.is_file():
            raise RuntimeError(f"schemathesis did not run: {done.stdout[-2000:]}{done.stderr}")
        told: dict[str, Any] = json.loads(report.read_text())
        return told


def schema(model: Path, short: bool) -> list[Goal]:
    """Two of them at once against one service."""
    small = save(small_model(), model.with_name("small.safetensors"))
    cases = 100 if short else CASES
    with serving(small) as server, ThreadPoolExecutor(AT_ONCE) as pool:
        reports = list(pool.map(lambda seed: fuzz(server.port, cases, seed), range(AT_ONCE)))
        alive = server.process.poll() is None
    generated = sum(report["test_cases"]["generated"] for report in reports)
    failures = [failure for report in reports for failure in report["failures"]]
    errors = sum(failure["type"] == "ServerError" for failure in failures)
    least = 0 if short else 10_000
    return [
        Goal("schemathesis", ">= 10,000 cases, 0 server errors",
             f"{generated:,} cases, {errors} server errors, {len(failures) - errors} other finds",
             generated >= least and not failures and alive)
    ]  # fmt: skip
