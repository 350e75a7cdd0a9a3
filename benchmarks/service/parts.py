"""Goals of the service, each measured by a function of its own."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.service.clients import Load, crowd, post, run, slow_header
from benchmarks.service.servers import WIDTHS, Running, serving

CONNECTIONS = 64
ROWS = 1000
PER_SECOND = 3000
"""Requests that are sent while latency is measured: more than the goal's 2,500."""
OCTETS = "application/octet-stream"


@dataclass(frozen=True)
class Goal:
    """One promise, and whether it was kept."""

    name: str
    promise: str
    figure: str
    kept: bool
    others: float | None = None
    """Cores that others, on this machine or on its host, kept busy meanwhile; None: untold."""


def image(rows: int = 1) -> bytes:
    """Random pixels of so many images."""
    return np.random.default_rng(rows).integers(0, 256, (rows, WIDTHS[0]), np.uint8).tobytes()


SINGLE = post(image())
MANY = post(image(ROWS), accept=OCTETS)


def measure(
    server: Running, seconds: float, requests: dict[bytes, int], *, pace: float = 0.0
) -> list[Load]:
    """A crowd's figures, after one second that does not count."""
    run(partial(crowd, server.port, requests, 1.0, pace=pace))
    loads: list[Load] = run(partial(crowd, server.port, requests, seconds, pace=pace))
    return loads


def rate(model: Path, short: bool) -> list[Goal]:
    """One image a request on 64 connections: as many as it can, then 3,000 a second."""
    seconds = 3.0 if short else 15.0
    with serving(model) as server:
        (most,) = measure(server, seconds, {SINGLE: CONNECTIONS})
        (paced,) = measure(server, seconds, {SINGLE: CONNECTIONS}, pace=CONNECTIONS / PER_SECOND)
    goals = []
    for load, what in ((most, "as many as it can"), (paced, f"{PER_SECOND:,} a second sent")):
        per_second = load.statuses[200] / seconds
        p50, p99 = load.milliseconds(50), load.milliseconds(99)
        kept = per_second >= 2500 and p99 <= 25 and set(load.statuses) == {200}
        goals.append(
            Goal(f"single images, 64 connections, {what}", ">= 2,500 a second at p99 <= 25 ms",
                 f"{per_second:,.0f} a second, p50 {p50:.1f}, p99 {p99:.1f} ms", kept)
        )  # fmt: skip
    return goals


def rows(model: Path, short: bool) -> list[Goal]:
    """Raw rows, 1,000 a request, on four connections; raw probabilities come back."""
    seconds = 3.0 if short else 15.0
    with serving(model) as server:
        (load,) = measure(server, seconds, {MANY: 4})
    per_second = ROWS * load.statuses[200] / seconds
    return [
        Goal("raw rows, 1,000 a request", ">= 100,000 images a second", f"{per_second:,.0f}",
             per_second >= 100_000 and set(load.statuses) == {200})
    ]  # fmt: skip


def overload(model: Path, short: bool) -> list[Goal]:
    """Five times the connections, some of them with 1,000 rows each, and what remains of it."""
    seconds = 6.0 if short else 60.0
    with serving(model) as server:
        (before,) = measure(server, 3.0, {SINGLE: CONNECTIONS})
        # The largest answers once, so that what is kept for them does not count as growth.
        run(partial(crowd, server.port, {SINGLE: CONNECTIONS, MANY: 4}, 2.0))
        memory = server.megabytes()
        most, loads, back = run(partial(_flood, server, seconds, before.milliseconds(99) / 1000))
        grown = most - memory
    statuses: Counter[int] = sum((load.statuses for load in loads), Counter())
    lost = sum(load.lost for load in loads)
    told = ", ".join(f"{count:,} x {status}" for status, count in sorted(statuses.items()))
    return [
        Goal(f"five times the load, {seconds:g} s", "only 200 and 429", f"{told}, {lost} lost",
             set(statuses) <= {200, 429} and statuses[200] > 0 and lost == 0),
        Goal("its memory", "up by < 50 MB", f"{memory:.0f} -> {most:.0f} MB", grown < 50),
        Goal("after it", "back to normal in 2 s", f"{back:.2f} s", back <= 2),
    ]  # fmt: skip


async def _flood(server: Running, seconds: float, normal: float) -> tuple[float, list[Load], float]:
    """(most memory, the loads, seconds until ten answers in a row came within `normal`)."""
    flood = asyncio.create_task(crowd(server.port, {SINGLE: 5 * CONNECTIONS, MANY: 5 * 4}, seconds))
    most = 0.0
    while not flood.done():
        most = max(most, server.megabytes())
        await asyncio.sleep(0.25)
    loads = flood.result()
    ended = perf_counter()
    quick = 0
    while quick < 10 and perf_counter() - ended < 10:
        (probe,) = await crowd(server.port, {SINGLE: 1}, 0.05)
        fine = bool(probe.latencies) and max(probe.latencies) <= max(normal, 0.025)
        quick = quick + len(probe.latencies) if fine else 0
    return most, loads, perf_counter() - ended if quick >= 10 else inf


def slow(model: Path, short: bool) -> list[Goal]:
    """200 clients that never finish their headers, beside others that do."""
    seconds, usual = (3.0, 32) if short else (9.0, 32)
    with serving(model) as server:
        (before,) = measure(server, seconds, {SINGLE: usual})
        cuts, beside = run(partial(_beside_slow, server, seconds, usual))
    ratio = beside.milliseconds(99) / before.milliseconds(99)
    return [
        Goal("200 clients with slow headers", "cut in 15 s", f"after {max(cuts):.1f} s at most",
             max(cuts) <= 15),
        Goal("others meanwhile", "p99 <= 2x", f"{before.milliseconds(99):.1f} -> "
             f"{beside.milliseconds(99):.1f} ms, {ratio:.2f}x",
             ratio <= 2 and set(beside.statuses) == {200}),
    ]  # fmt: skip


async def _beside_slow(server: Running, seconds: float, usual: int) -> tuple[list[float], Load]:
    cutting = [asyncio.create_task(slow_header(server.port, 15)) for _ in range(200)]
    await asyncio.sleep(0.5)
    (load,) = await crowd(server.port, {SINGLE: usual}, seconds)
    return list(await asyncio.gather(*cutting)), load


def endings(model: Path, short: bool) -> list[Goal]:
    """SIGTERM in the middle of a load, again and again."""
    times = 4 if short else 100
    with ThreadPoolExecutor(2) as pool:
        seeds = range(times)
        results = list(pool.map(partial(_end_one, model), seeds))
    answered = sum(load.statuses[200] for load, _, _ in results)
    lost = sum(load.lost for load, _, _ in results)
    other = sum(sum(load.statuses.values()) for load, _, _ in results) - answered
    codes = sum(code != 0 for _, code, _ in results)
    longest = max(seconds for _, _, seconds in results)
    return [
        Goal(f"{times} SIGTERMs under load", "0 requests lost, exit 0",
             f"{lost} lost of {answered + other + lost:,}, {other} refused, {codes} other exits, "
             f"gone in {longest:.1f} s", lost == 0 and codes == 0 and other == 0 and answered > 0)
    ]  # fmt: skip


def _end_one(model: Path, seed: int) -> tuple[Load, int, float]:
    """(what its clients got, exit code, seconds from the signal to the end)."""
    wait = float(np.random.default_rng(seed).uniform(0.05, 0.5))
    with serving(model) as server:
        load, ended = run(partial(_end_under_load, server, wait))
        code = server.process.wait(20)
    return load, code, time.perf_counter() - ended


async def _end_under_load(server: Running, wait: float) -> tuple[Load, float]:
    asking = asyncio.create_task(crowd(server.port, {SINGLE: CONNECTIONS}, 3.0))
    await asyncio.sleep(wait)
    ended = perf_counter()
    server.process.terminate()
    (load,) = await asking
    return load, ended


Part = Callable[[Path, bool], list[Goal]]
PARTS: dict[str, Part] = {
    "rate": rate,
    "rows": rows,
    "overload": overload,
    "slow": slow,
    "endings": endings,
}


def as_rows(goals: list[Goal]) -> list[tuple[Any, ...]]:
    """The goals as rows of a table."""
    return [
        (goal.name, goal.promise, goal.figure, "yes" if goal.kept else "NO",
         "" if goal.others is None else f"{goal.others:.1f}")
        for goal in goals
    ]  # fmt: skip
