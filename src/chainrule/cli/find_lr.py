"""What `chainrule train --find-lr` does: tries learning rates, too low to too high; trains none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import ceil

from chainrule.cli.console import print_json
from chainrule.core.errors import ConfigError
from chainrule.data.dataset import Dataset
from chainrule.experiments.job import Job, run
from chainrule.optim.schedules import Schedule
from chainrule.runs import folder as runs
from chainrule.training.lr_finder import STEPS, find_rate
from chainrule.training.state import Progress
from chainrule.training.train import Epoch


def find_learning_rate(
    job: Job, data: Dataset, *, name: str, recipe: str, origin: runs.Origin, as_json: bool
) -> int:
    """Writes and prints the search into a run folder of its own; returns the exit code."""
    size = job.settings.batch_size or len(job.train[1])
    epochs = ceil(STEPS * size / len(job.train[1]))
    steady = replace(
        job, settings=replace(job.settings, epochs=epochs, patience=0), validation=None
    )

    def begin(schedule: Schedule, stop: Callable[[], bool], progress: Progress) -> Iterator[Epoch]:
        return run(replace(steady, schedule=schedule), stop=stop, progress=progress)

    try:
        search = find_rate(begin)
    except ValueError as error:
        raise ConfigError(f"--find-lr: {error}") from None
    from chainrule import plots

    folder = runs.claim_folder(name, otherwise=f"{recipe}-rates")
    runs.write_config(folder, job.settings, data, recipe=recipe, origin=origin)
    result = {
        "suggestion": search.suggestion,
        "rates": search.rates,
        "losses": search.losses,
        "run": str(folder),
    }
    runs.write_report(folder, result)
    figure = plots.learning_rates(
        search.rates, search.losses, smoothed=search.smoothed, suggestion=search.suggestion
    )
    plots.save(figure, folder / "rates.png")
    if as_json:
        print_json(result)
    else:
        print(
            f"learning rate {search.suggestion:g}: a tenth of where the loss was lowest, after "
            f"{len(search.rates)} steps up to {search.rates[-1]:.2g}"
        )
        print(f"to train with it: chainrule train ... --learning-rate {search.suggestion:g}")
        print(f"{folder}: {', '.join(runs.contents(folder))}")
    return 0
