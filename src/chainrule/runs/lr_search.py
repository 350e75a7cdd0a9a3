"""Learning-rate search: rates from too low to too high, in a run folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from chainrule.core.errors import ConfigError
from chainrule.data.load import Report
from chainrule.experiments.job import Job, run
from chainrule.optim.schedules import Schedule
from chainrule.runs.files import begin, saving, write_report
from chainrule.runs.folder import claim_folder
from chainrule.runs.origin import load_data
from chainrule.runs.pictures import untold
from chainrule.runs.request import Request, check_request, job_of
from chainrule.training.lr_finder import STEPS, RateSearch, find_rate
from chainrule.training.state import Progress
from chainrule.training.train import Epoch


@dataclass(frozen=True)
class LearningRateSearch:
    """Learning-rate search: the rates tried, and the folder with their curve."""

    folder: Path
    search: RateSearch

    def as_json(self) -> dict[str, Any]:
        """The figures, as in report.json."""
        return {
            "suggestion": self.search.suggestion,
            "rates": self.search.rates,
            "losses": self.search.losses,
            "run": str(self.folder),
        }


def search_learning_rate(
    request: Request, *, say: Report, told: Callable[[LearningRateSearch], None] = untold
) -> LearningRateSearch:
    """Searches, and writes config.toml, report.json and rates.png into a new run folder.

    `told` hears the result before the curve is drawn. The weights trained on the way are discarded.
    Raises ConfigError where the loss never falls.
    """
    from chainrule.plots.lr_finder import learning_rates
    from chainrule.plots.style import save

    check_request(request)
    data = load_data(
        request.origin, offline=request.offline, report=say, checksums=request.checksums
    )
    job, config = job_of(request, data)
    for remark in job.remarks:
        say(remark)
    search = _search(job)
    folder = claim_folder(request.run, otherwise=f"{request.recipe}-rates")
    found = LearningRateSearch(folder, search)
    begin(folder, config, remedy="then search again")
    with saving(folder, "the search", remedy="then search again"):
        write_report(folder, found.as_json())
    told(found)
    with saving(folder, "its curve (report.json has the figures)", remedy="then search again"):
        figure = learning_rates(
            search.rates, search.losses, smoothed=search.smoothed, suggestion=search.suggestion
        )
        save(figure, folder / "rates.png")
    return found


def _search(job: Job) -> RateSearch:
    size = job.settings.batch_size or len(job.train[1])
    epochs = ceil(STEPS * size / len(job.train[1]))
    steady = replace(
        job, settings=replace(job.settings, epochs=epochs, patience=0), validation=None
    )

    def begin(schedule: Schedule, stop: Callable[[], bool], progress: Progress) -> Iterator[Epoch]:
        return run(replace(steady, schedule=schedule), stop=stop, progress=progress)

    try:
        return find_rate(begin)
    except ValueError as error:
        raise ConfigError(f"--find-lr: {error}") from None
