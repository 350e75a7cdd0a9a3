"""The clients of `make load` count each answer that the service gives them."""

from __future__ import annotations

from benchmarks.service.clients import crowd, post, run


def test_clients_count_answers_of_each_kind(ask) -> None:
    right, wrong = post(bytes(784)), post(bytes(783))
    loads = run(lambda: crowd(ask.port, {right: 2, wrong: 1}, 0.5))
    assert set(loads[0].statuses) == {200}
    assert set(loads[1].statuses) == {422}
    assert loads[0].lost == loads[1].lost == 0
    assert len(loads[0].latencies) == loads[0].statuses[200] > 5
    assert 0 < loads[0].milliseconds(50) <= loads[0].milliseconds(99) < 1000
