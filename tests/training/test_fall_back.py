"""A run that diverges after a break falls back on the weights it would have had without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule.core.errors import DivergenceError
from chainrule.nn.network import Network
from chainrule.optim.schedules import Schedule
from chainrule.training.checkpoint import Checkpoint, latest, write_checkpoint
from chainrule.training.state import Progress
from chainrule.training.train import train

KEEP_EVERY, BREAK, TOO_FAR = 6, 8, 9
"""Steps: the weights of step 6 are kept, the run is cut at 8, and step 9 goes much too far."""
RNG = np.random.default_rng(5)
EXAMPLES = RNG.standard_normal((80, 12)).astype(np.float32), RNG.integers(0, 3, 80)


class Explosive(Schedule):
    def __call__(self, step: int) -> float:
        return 1e30 if step >= TOO_FAR else self.rate


def run(progress: Progress, *, cut: int = -1) -> Network:
    """The network after a run with this progress, cut before a step or left to diverge."""
    network = Network.dense([12, 9, 3], rng=np.random.default_rng(1))
    epochs = train(
        network,
        EXAMPLES,
        rng=np.random.default_rng(3),
        batch_size=20,
        optimizer="sgd",
        learning_rate=Explosive(0.05),
        stop=lambda: progress.step == cut,
        progress=progress,
    )
    if cut < 0:
        with pytest.raises(DivergenceError, match=f"the weights of step {KEEP_EVERY} are kept"):
            list(epochs)
    else:
        list(epochs)
    return network


def test_a_run_that_diverges_after_a_break_falls_back_on_the_weights_kept_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.training.divergence.KEEP_EVERY", KEEP_EVERY)
    whole, progress = run(Progress()), Progress()
    run(progress, cut=BREAK)
    write_checkpoint(tmp_path, Checkpoint(progress, [], {}, {}, {}))
    saved = latest(tmp_path, report=pytest.fail)
    assert saved
    assert saved.progress.step == BREAK
    assert run(saved.progress).parameters.tobytes() == whole.parameters.tobytes()
