"""More than one core: who they are, how many of them BLAS takes, and a team that shares work.

Matrix products and element-wise functions of NumPy let other Python threads run meanwhile. So a
step of training is shared out by rows among a few threads, each with BLAS to itself, and products
and everything between them run on all cores. BLAS's own threads speed up the products alone, and
wait for each other spinning: on a busy machine an epoch took 20 times as long with them.
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
    """A few workers that do the same thing side by side; worker 0 is whoever asks.

    Use it in a `with` statement: at its end the workers' threads end too.
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
        """[work(k, every size-th part from the k-th on) for each worker k], all at the same time.

        A worker for whom no part is left is not asked. Which worker gets which part depends on
        nothing but their numbers, so results repeat to the bit. Raises what a worker raised, once
        all have finished.
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
"""Nobody to share with: whatever is asked for is simply done."""
