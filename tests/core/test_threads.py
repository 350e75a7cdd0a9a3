"""A team shares work out by number, side by side, and survives what goes wrong in it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import chainrule.core.blas
import chainrule.core.threads
from chainrule.core.threads import SERIAL, ThreadTeam
from helpers.processes import answer

PATIENCE = 60
"""Seconds until a test that hangs is given up; none of them takes one."""


def numbered(worker: int, parts: Sequence[int]) -> tuple[int, list[int]]:
    return worker, list(parts)


@pytest.mark.parametrize(
    ("size", "parts", "expected"),
    [
        (1, 5, [(0, [0, 1, 2, 3, 4])]),
        (2, 5, [(0, [0, 2, 4]), (1, [1, 3])]),
        (3, 7, [(0, [0, 3, 6]), (1, [1, 4]), (2, [2, 5])]),
        (3, 3, [(0, [0]), (1, [1]), (2, [2])]),
        (3, 2, [(0, [0]), (1, [1])]),
        (3, 1, [(0, [0])]),
    ],
)
def test_worker_k_gets_every_nth_part_from_the_kth_on(
    size: int, parts: int, expected: list[tuple[int, list[int]]]
) -> None:
    with ThreadTeam(size) as team:
        assert team.share(range(parts), numbered) == expected


def test_results_come_in_the_order_of_the_workers_not_in_that_of_their_finishing() -> None:
    finished = [threading.Event() for _ in range(4)]

    def last_first(worker: int, parts: Sequence[int]) -> int:
        if worker < 3:
            assert finished[worker + 1].wait(PATIENCE)
        finished[worker].set()
        return worker

    with ThreadTeam(4) as team:
        assert team.share(range(4), last_first) == [0, 1, 2, 3]


def test_a_team_of_one_calls_straight_away() -> None:
    before = threading.active_count()
    with ThreadTeam() as team:
        assert team.share([7], lambda *_: threading.current_thread()) == [
            threading.current_thread()
        ]
        assert threading.active_count() == before
    # Not even a copy of the list.
    parts = [7]
    assert SERIAL.share(parts, lambda _, given: given)[0] is parts


def test_the_workers_are_other_threads_and_work_at_the_same_time() -> None:
    together = threading.Barrier(3)

    def meet(worker: int, parts: Sequence[int]) -> threading.Thread:
        # Passed only once all three are here.
        together.wait(PATIENCE)
        return threading.current_thread()

    with ThreadTeam(3) as team:
        first = team.share(range(3), meet)
        assert team.share(range(3), meet) == first
    assert len(set(first)) == 3
    assert first[0] is threading.current_thread()
    assert all(thread.daemon for thread in first[1:])


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("failing", [{0}, {1}, {0, 1}])
def test_what_a_worker_raises_comes_out_once_all_have_finished(
    size: int, failing: set[int]
) -> None:
    all_here = threading.Barrier(size)
    finished: list[int] = []

    def fail(worker: int, parts: Sequence[int]) -> None:
        all_here.wait(PATIENCE)
        if worker in failing:
            raise KeyError(f"worker {worker}")
        # So long that whoever does not wait for it is sure to be too early.
        sum(range(1_000_000))
        finished.append(worker)

    with ThreadTeam(size) as team:
        for _ in range(3):
            finished.clear()
            with pytest.raises(KeyError, match=f"worker {min(failing)}"):
                team.share(range(size), fail)
            assert {*finished} == {*range(size)} - failing
            assert team.share(range(2 * size), numbered) == [
                (k, [k, k + size]) for k in range(size)
            ]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_not_even_an_exit_in_a_worker_is_lost(error: type[BaseException]) -> None:
    def leave(worker: int, parts: Sequence[int]) -> None:
        if worker:
            raise error

    with ThreadTeam(2) as team:
        with pytest.raises(error):
            team.share(range(2), leave)
        assert team.share(range(2), numbered) == [(0, [0]), (1, [1])]


def overflow(worker: int, parts: Sequence[float]) -> float:
    return float(np.square(np.float32(parts[0])))


def test_floating_point_errors_that_the_caller_ignores_are_ignored_by_all() -> None:
    with ThreadTeam(2) as team, np.errstate(over="ignore"):
        # A warning would be an error here.
        assert team.share([1e38, 1e38], overflow) == [np.inf, np.inf]


def test_floating_point_errors_that_the_caller_wants_raised_are_raised_by_all() -> None:
    with ThreadTeam(2) as team:
        # One worker at a time, so that it cannot be the other's.
        for large in (0, 1):
            numbers = [1.0, 1.0]
            numbers[large] = 1e38
            with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow"):
                team.share(numbers, overflow)
        with np.errstate(over="ignore"):
            assert team.share([1e38, 1e38], overflow) == [np.inf, np.inf]


@pytest.mark.parametrize("ending", ["the end", "an exception"])
def test_the_threads_end_with_the_with_statement(ending: str) -> None:
    before = {*threading.enumerate()}
    own: set[threading.Thread] = set()

    def use() -> None:
        with ThreadTeam(3) as team:
            own.update({*threading.enumerate()} - before)
            team.share(range(3), numbered)
            if ending == "an exception":
                raise KeyError

    if ending == "an exception":
        with pytest.raises(KeyError):
            use()
    else:
        use()
    assert len(own) == 2
    for thread in own:
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.mark.parametrize("size", [0, -1])
def test_a_team_of_nobody_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"a team of {size}: it takes at least one worker"):
        ThreadTeam(size)


LIMIT = """
import json
import numpy
from threadpoolctl import threadpool_info, threadpool_limits
from chainrule.core.blas import one_blas_thread

def threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

seen = []
with threadpool_limits(2, user_api="blas"):
    seen.append(threads())
    with one_blas_thread():
        seen.append(threads())
        with one_blas_thread():
            seen.append(threads())
        seen.append(threads())
    seen.append(threads())
    try:
        with one_blas_thread():
            raise KeyError
    except KeyError:
        seen.append(threads())
print(json.dumps(seen))
"""


def test_one_blas_thread_holds_within_the_with_statement_and_no_longer() -> None:
    # OpenBLAS, of which NumPy's wheels bring one; threadpoolctl itself is the witness.
    assert answer(LIMIT) == [[2], [1], [1], [1], [2], [2]]


CORES = "import numpy; from chainrule.core.blas import cores; print(cores())"

WITNESS = """
import numpy
from threadpoolctl import threadpool_info
print(*(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"))
"""


def test_cores_are_as_many_as_blas_was_told_to_use_or_found() -> None:
    assert answer(CORES, OPENBLAS_NUM_THREADS="1") == 1
    assert answer(CORES) == answer(WITNESS)


def test_without_blas_threads_there_is_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoPools:
        def select(self, *, user_api: str) -> NoPools:
            return self

        def info(self) -> list[dict[str, Any]]:
            return []

    monkeypatch.setattr(chainrule.core.blas, "_controller", NoPools)
    assert chainrule.core.blas.cores.__wrapped__() == 1
