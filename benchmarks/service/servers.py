"""Server process: the service as `chainrule serve` starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chainrule.data.dataset import DIGITS
from chainrule.nn.model_file import Model, save
from chainrule.nn.network import Network

WIDTHS = (784, 128, 64, 10)


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    process: subprocess.Popen[str]
    port: int

    def megabytes(self) -> float:
        """Memory that it holds (resident), as Linux tells; 0 elsewhere."""
        path = Path(f"/proc/{self.process.pid}/statm")
        if not path.exists():
            return 0.0
        pages = int(path.read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def write_model(folder: Path) -> Path:
    """A network that was never trained: predicting takes as long."""
    network = Network.dense(WIDTHS, rng=np.random.default_rng(0))
    return save(Model(network, DIGITS, (28, 28)), folder / "load.safetensors")


@contextmanager
def serving(model: Path) -> Iterator[Running]:
    """The service on a free port, ended by SIGTERM."""
    command = [sys.executable, "-P", "-m", "chainrule", "serve", str(model)]
    with subprocess.Popen(
        [*command, "--port", "0", "--no-open", "--quiet"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        line = process.stdout.readline().strip()
        if not line:
            raise RuntimeError("the service did not start: see its words above")
        try:
            yield Running(process, int(line.rstrip("/").rpartition(":")[2]))
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
