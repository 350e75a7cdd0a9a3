"""Contender process: python -m benchmarks.speed.contender PEER THREADS.

It reads one JSON object a line from stdin and answers with one a line on stdout:
{"prepare": "T1"} -> {"ready": true}      {"run": true} -> {"seconds": 0.61}
{"accuracy": true} -> {"accuracy": 0.95}  anything unsupported -> {"failed": why}
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

PEERS: dict[str, tuple[str, str]] = {
    "ours": ("ours", ""),
    "ours, compiled": ("ours", "_compiled"),
    "article": ("article", ""),
    "scikit-learn": ("scikit", ""),
    "torch": ("pytorch", ""),
    "torch.compile": ("pytorch", "_compiled"),
    "jax": ("jaxlib", ""),
    "onnxruntime": ("onnx", ""),
    "sgemm": ("sgemm", ""),
    "idx parse": ("loaders", "_idx"),
    "keras npz": ("loaders", "_npz"),
}
"""name -> (module in benchmarks.peers, suffix of its functions)"""

POOLS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Where the peers' libraries look for their number of threads."""


def environment(threads: int) -> dict[str, str]:
    """The environment of a contender that may use so many threads."""
    return {**os.environ, **dict.fromkeys(POOLS, str(threads))}


@cache
def mnist(folder: Path) -> Any:
    """The data as the main process left them in the folder."""
    import numpy as np

    from benchmarks.speed.work import Data

    return Data(*(np.load(folder / f"{name}.npy") for name in Data.ARRAYS), str(folder))


def answer(request: dict[str, Any], state: dict[str, Any], peer: str, threads: int) -> Any:
    """What the contender says to one request; `state` keeps the task between them."""
    from benchmarks.speed.work import WORKS

    if "prepare" in request:
        state.clear()
        work = next(work for work in WORKS if work.name == request["prepare"])
        module, suffix = PEERS[peer]
        maker = getattr(
            importlib.import_module(f"benchmarks.speed.peers.{module}"), work.kind + suffix
        )
        state["task"] = maker(work, mnist(Path(request["folder"])), threads)
        state["task"].run()
        return {"ready": True}
    if "run" in request:
        return {"seconds": state["task"].run()}
    return {"accuracy": state["task"].accuracy()}


def main(peer: str, threads: int) -> None:
    """Answers requests until there are no more."""
    if threads == 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a framework prints must not be taken for an answer
    state: dict[str, Any] = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = answer(request, state, peer, threads)
        except ImportError as error:
            reply = {"failed": f"{error.name or error} is not installed"}
        except Exception as error:
            reply = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
