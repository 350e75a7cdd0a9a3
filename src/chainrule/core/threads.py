"""Thread team: a few threads that split the rows of a training step among the cores.

NumPy's matrix products and element-wise functions release the GIL. So each thread takes a part of
the rows, with single-threaded BLAS, and all cores work on the products and on everything between
them. BLAS's own threads speed up only the products, and they wait by spinning: on a busy machine
an epoch took 20 times as long with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")
Job: TypeAlias = Callable[[], Any]


class ThreadTeam:
    """Workers that run the same function in parallel; worker 0 is the calling thread.

    Use it in a `with` statement, at whose end the other threads end too.
    """

    def __init__(self, size: int = 1) -> None:
        if size < 1:
            raise ValueError(f"a team of {size}: it takes at least one worker")
        self.size = size
        self._jobs: list[SimpleQueue[Job | None]] = [SimpleQueue() for _ in range(size - 1)]
        self._done: SimpleQueue[tuple[int, tuple[Any, BaseException | None]]] = SimpleQueue()
        for number, jobs in enumerate(self._jobs, 1):
            Thread(target=self._work, args=(number, jobs), daemon=True).start()

    def share(
        self, parts: Sequence[Part], work: Callable[[int, Sequence[Part]], Result]
    ) -> list[Result]:
        """[work(k, parts[k::size]) for each worker k], in parallel.

        Workers without a part are skipped. The assignment depends only on the numbers of workers
        and parts, so results are reproducible to the bit. If a worker raises, the exception is
        raised here once all have finished.
        """
        if self.size == 1:
            return [work(0, parts)]
        others = range(1, min(self.size, len(parts)))
        for k in others:
            # The worker ignores the floating-point errors that the caller ignores.
            job = partial(copy_context().run, work, k, parts[k :: self.size])
            self._jobs[k - 1].put(job)
        failure = None
        try:
            results = [work(0, parts[:: self.size])]
        finally:
            answers = dict(self._done.get() for _ in others)
        for k in others:
            result, error = answers[k]
            results.append(result)
            failure = failure or error
        if failure:
            raise failure
        return results

    def _work(self, number: int, jobs: SimpleQueue[Job | None]) -> None:
        while (job := jobs.get()) is not None:
            try:
                self._done.put((number, (job(), None)))
            except BaseException as error:
                self._done.put((number, (None, error)))

    def __enter__(self) -> ThreadTeam:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for jobs in self._jobs:
            jobs.put(None)


SERIAL = ThreadTeam(1)
"""A team of one: the calling thread does all the work."""
