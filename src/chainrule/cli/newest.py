"""The run that is meant when none is named: the one whose model was written last."""

from __future__ import annotations


def newest_run() -> str:
    """The name of the newest run with a model under runs/. Raises ConfigError without one."""
    from chainrule.cli.runs import RUNS, TRAIN_FIRST
    from chainrule.settings import ConfigError

    models = RUNS.glob("*/model.safetensors")
    # Of two in the same moment the later name, so that there is one answer.
    newest = max(models, key=lambda path: (path.stat().st_mtime_ns, path.parent.name), default=None)
    if newest is None:
        raise ConfigError(f"there is no run with a model here: {TRAIN_FIRST}")
    return newest.parent.name
