"""A run outside the main thread: it trains, and leaves the signals alone."""

from __future__ import annotations

import signal
from threading import Thread
from typing import Any

from chainrule.experiments.settings import Settings
from chainrule.runs.origin import Origin
from chainrule.runs.request import Request, TrainedRun
from chainrule.runs.run import train_run


def test_a_run_in_another_thread_trains_as_in_the_main_one(tmp_path, monkeypatch, few) -> None:
    monkeypatch.chdir(tmp_path)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    done: list[Any] = []

    def train(name: str) -> None:
        settings = Settings(layers=(784, 8, 10), epochs=1)
        request = Request(settings, origin=Origin(str(few)), run=name, pictures=False)
        done.append(train_run(request, say=lambda _: None))

    train("main")
    thread = Thread(target=train, args=("other",))
    thread.start()
    thread.join()
    main, other = done
    assert isinstance(other, TrainedRun)
    assert other.ending == "finished"
    written = [(each.folder / "model.safetensors").read_bytes() for each in (main, other)]
    assert written[0] == written[1]
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
