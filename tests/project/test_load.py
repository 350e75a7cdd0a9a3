"""The short form of `make load`: clients count what they lose, and servers end under them."""

from __future__ import annotations

import asyncio
import json

import pytest

from benchmarks.service.__main__ import main
from benchmarks.service.clients import Client, Load, run
from benchmarks.service.parts import PARTS


def test_four_sigterms_under_load_lose_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "endings", "--short", "--json"]) == 0
    (goal,) = json.loads(capsys.readouterr().out)["goals"]
    assert goal["figure"].startswith("0 lost of ")
    assert " 0 refused, 0 other exits" in goal["figure"]


def test_what_is_not_measured_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "rate,speed"])
    assert "no part 'speed': choose among rate, rows" in capsys.readouterr().err
    assert len(PARTS) == 5


class Silent:
    """A transport that never answers."""

    def write(self, data: bytes) -> None: ...

    def is_closing(self) -> bool:
        return False


@pytest.mark.parametrize("received", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab"])
def test_a_request_without_a_whole_answer_is_lost(received: bytes) -> None:
    async def lose() -> Load:

        load = Load(b"request")
        client = Client(load, asyncio.get_running_loop().create_future())
        client.connection_made(Silent())
        client.data_received(received)
        client.connection_lost(None)
        return load

    assert run(lose).lost == 1
