"""Bodies that take time: read beside the service, in turns, within a budget, and called off."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pytest
from PIL import Image

from chainrule.core.arrays import Array
from chainrule.digits import preprocess
from chainrule.nn.model_file import Model
from chainrule.service import decoder as decoding
from chainrule.service import endpoint, requests, turns
from chainrule.service.batcher import Batcher, FullError
from chainrule.service.decoder import COMMAND, Reader
from chainrule.service.frames import read_frame, write_frame
from chainrule.service.pictures import look_at
from chainrule.service.refusal import RequestError
from chainrule.service.requests import MOST_IMAGES, Form, read_json
from chainrule.service.turns import MOST_REQUESTS, Turns
from helpers.talk import POST
from service.conftest import BLANK, Asker, drawing, encoded, running

FORM = Form(784, (28, 28))
FLOODS = {
    "lists": b'{"images":[' + b"[]," * 340_000 + b"[]]}",
    "tables": b'{"images":[' + b"{}," * 340_000 + b"{}]}",
    "strings": b'{"images":[[' + b'"",' * 340_000 + b'""]]}',
    "names": b"{" + b'"images":[],' * 85_000 + b'"images":[]}',
    "depth": b'{"images":' + b"[" * 1_000_000 + b"]" * 40_000,
}
HANGS = (sys.executable, "-c", "import time; time.sleep(600)")
BREAKS = (sys.executable, "-c", "import sys; sys.stdin.buffer.read(100)")


def dots(side: int = 400) -> bytes:
    """A picture of 289 dots, each of which could be a digit."""
    pixels = np.full((side, side), 255, np.uint8)
    for row in range(6, side - 9, 24):
        for column in range(6, side - 9, 24):
            pixels[row : row + 9, column : column + 9] = 0
    return encoded(Image.fromarray(pixels))


def eventually(condition: Any) -> bool:
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that are started."""
    processes: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def noted(*command: Any, **named: Any) -> subprocess.Popen[bytes]:
        processes.append(start(*command, **named))
        return processes[-1]

    monkeypatch.setattr(subprocess, "Popen", noted)
    return processes


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs that the process is given."""
    given: list[str] = []
    exchange = Reader.exchange

    def noted(self: Reader, header: dict[str, Any], content: bytes) -> Any:
        given.append(header["job"])
        return exchange(self, header, content)

    monkeypatch.setattr(Reader, "exchange", noted)
    return given


@pytest.fixture
def fresh(model: Model) -> Iterator[Asker]:
    """A service whose process has not been started."""
    with running(model) as ask:
        yield ask


def test_no_digit_is_cut_out_of_a_picture_with_more_than_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = len(look_at(dots(), FORM, images=MOST_IMAGES, pixels=2**22).images)
    assert found > 200
    monkeypatch.setattr(preprocess, "cut", None)
    with pytest.raises(RequestError, match=r"more than 1,024 digits in all") as caught:
        look_at(dots(), FORM, images=found - 1, pixels=2**22)
    assert caught.value.status == 413


def test_of_a_form_of_dots_few_pictures_are_looked_at(
    ask: Asker, jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "BUDGET", 300.0)  # the images are counted here, not the seconds
    answer = ask.files(*[("a.png", dots())] * 64)
    assert (answer.status, "1,024 digits" in answer.error) == (413, True)
    assert jobs == ["files"] + ["picture"] * 4


def test_a_large_body_of_json_gets_the_answer_of_a_small_one(
    ask: Asker, images: Array, jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = [ask.json({"images": [image.tolist()]}).json["predictions"][0] for image in images]
    assert jobs == []

    def never(*arguments: Any) -> None:
        raise AssertionError("it was read in the loop")

    monkeypatch.setattr(endpoint, "read_json", never)
    assert ask.json({"images": images.tolist()}).json["predictions"] == one
    assert jobs == ["json"]
    answer = ask.json({"images": [*images.tolist(), BLANK[1:]]})
    assert (answer.status, "image 20 has 783 numbers" in answer.error) == (422, True)


@pytest.mark.parametrize("flood", FLOODS)
def test_json_that_cannot_be_images_is_refused_unparsed(
    flood: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orjson, "loads", None)
    with pytest.raises(RequestError, match="lists and strings: images of 784"):
        read_json(FLOODS[flood], FORM)


@pytest.mark.parametrize("form", [FORM, Form(64, (8, 8)), Form(12, (12, 1)), Form(5, (0, 0))])
def test_as_many_images_as_a_request_may_have_are_parsed(form: Form) -> None:
    height, width = form.shape if any(form.shape) else (0, 0)
    image: Any = [[0] * width] * height if height else [0] * form.inputs
    count = min(MOST_IMAGES, form.most_images(2**20))
    body = json.dumps({"images": [image] * count}, separators=(",", ":")).encode()
    count -= max(0, len(body) - 2**20) // (len(body) // count) + (len(body) > 2**20)
    body = json.dumps({"images": [image] * count}, separators=(",", ":")).encode()
    assert len(read_json(body, form).images) == count
    with_blanks = json.dumps({"images": [image] * 3}, indent=1).encode()
    assert len(read_json(with_blanks, form).images) == 3


def test_room_is_asked_for_before_a_body_is_read(
    ask: Asker, jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[int] = []

    def full(self: Batcher, images: int) -> None:
        wanted.append(images)
        raise FullError

    monkeypatch.setattr(Batcher, "check_room", full)
    monkeypatch.setattr(requests.orjson, "loads", None)
    for answer in (
        ask.json({"images": [BLANK]}),
        ask.json({"images": [BLANK] * 100}),
        ask.picture(encoded(drawing())),
        ask.files(("a.png", encoded(drawing()))),
        ask.rows(bytes(7840)),
    ):
        assert answer.status == 429
    assert wanted == [3, 251, 1, 1, 10]
    assert jobs == []


def test_what_takes_longer_than_its_budget_is_called_off(
    fresh: Asker, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "BUDGET", 0.3)
    monkeypatch.setattr(decoding, "COMMAND", HANGS)
    answer = fresh.picture(encoded(drawing()))
    assert (answer.status, "more than 0.3 seconds" in answer.error) == (413, True)
    assert started[0].poll() is not None
    monkeypatch.setattr(decoding, "BUDGET", 8.0)
    monkeypatch.setattr(decoding, "COMMAND", COMMAND)
    assert fresh.picture(encoded(drawing())).status == 200
    assert len(started) == 2


def test_a_budget_is_for_all_pictures_of_a_request(
    ask: Asker, jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask.picture(encoded(drawing())).status == 200
    exchange = Reader.exchange

    def slowly(self: Reader, header: dict[str, Any], content: bytes) -> Any:
        time.sleep(0.2)
        return exchange(self, header, content)

    monkeypatch.setattr(Reader, "exchange", slowly)
    monkeypatch.setattr(decoding, "BUDGET", 0.9)
    jobs.clear()
    answer = ask.files(*[("a.png", encoded(drawing()))] * 30)
    assert (answer.status, "more than 0.9 seconds" in answer.error) == (413, True)
    assert len(jobs) <= 5


def test_a_reader_that_breaks_is_one_sentence_and_the_next_one_answers(
    fresh: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "COMMAND", BREAKS)
    answer = fresh.picture(encoded(drawing()))
    assert (answer.status, "its reader was ended" in answer.error) == (422, True)
    monkeypatch.setattr(decoding, "COMMAND", COMMAND)
    assert fresh.picture(encoded(drawing())).status == 200


def test_what_nobody_waits_for_any_more_is_called_off(
    fresh: Asker, started: list[Any], jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "COMMAND", HANGS)
    content = encoded(drawing())
    head = b"Content-Type: image/png\r\nContent-Length: %d\r\n\r\n" % len(content)
    first, second = (
        socket.create_connection(("127.0.0.1", fresh.port), timeout=5) for _ in range(2)
    )
    first.sendall(POST + head + content)
    assert eventually(lambda: started)
    second.sendall(POST + head + content)
    time.sleep(0.2)
    second.close()  # it waits for its turn
    time.sleep(0.2)
    first.close()
    assert eventually(lambda: started[0].poll() is not None)
    assert len(jobs) == len(started) == 1
    monkeypatch.setattr(decoding, "COMMAND", COMMAND)
    assert fresh.picture(content).status == 200


def test_at_the_end_what_is_being_read_is_called_off(
    model: Model,
    started: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(decoding, "COMMAND", HANGS)
    monkeypatch.setattr("chainrule.service.server.LONGEST_DRAIN", 0.7)
    content = encoded(drawing())
    head = b"Content-Type: image/png\r\nContent-Length: %d\r\n\r\n" % len(content)
    with running(model) as ask:
        client = socket.create_connection(("127.0.0.1", ask.port), timeout=5)
        client.sendall(POST + head + content)
        assert eventually(lambda: started)
    assert started[0].poll() is not None
    assert caplog.text == ""
    client.close()


def test_the_reader_heeds_no_signal_and_ends_with_the_service() -> None:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        write_frame(process.stdin, FORM.as_json())
        for _ in range(2):
            job = {"job": "picture", "images": 9, "pixels": 2**22}
            write_frame(process.stdin, job, encoded(drawing()))
            assert read_frame(process.stdout)[0]["count"] == 1
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGINT)
        process.stdin.close()
        assert process.wait(10) == 0


def test_the_form_of_a_network_is_the_same_on_the_other_side() -> None:
    for form in (FORM, Form(12, (3, 4), digits=False, pictures=None)):
        assert Form.from_json(json.loads(json.dumps(form.as_json()))) == form


def test_turns_go_to_those_who_have_had_least() -> None:
    order: list[str] = []

    async def work(turns: Turns, client: str, times: int) -> None:
        async with turns.room(client):
            for _ in range(times):
                async with turns.turn(client):
                    order.append(client)
                    await asyncio.sleep(0.02)

    async def all_at_once() -> None:
        turns = Turns()
        heavy = [asyncio.create_task(work(turns, name, 5)) for name in "ab"]
        await asyncio.sleep(0.05)
        await asyncio.gather(*heavy, work(turns, "c", 1))

    asyncio.run(all_at_once())
    assert sorted(order) == sorted("aaaaabbbbbc")
    assert "c" in order[:4]
    assert not any(3 * one in "".join(order[:8]) for one in "ab")


def test_where_there_is_no_room_the_heaviest_makes_some(monkeypatch: pytest.MonkeyPatch) -> None:
    async def one(turns: Turns, client: str, times: int) -> str:
        try:
            async with turns.room(client):
                for _ in range(times):
                    async with turns.turn(client):
                        await asyncio.sleep(0.03)
        except FullError:
            return "refused"
        return "done"

    async def crowd() -> list[str]:
        turns = Turns()
        heavy = [asyncio.create_task(one(turns, f"{n}", 100)) for n in range(MOST_REQUESTS)]
        await asyncio.sleep(0.03 * 2.5 * MOST_REQUESTS)
        light = await one(turns, "light", 1)
        for task in heavy:
            task.cancel()
        ended = await asyncio.gather(*heavy, return_exceptions=True)
        return [light, *(str(one) for one in ended)]

    light, *heavy = asyncio.run(crowd())
    assert light == "done"
    assert heavy.count("refused") == 1


def test_a_turn_that_is_not_taken_goes_to_the_next() -> None:
    async def one(turns: Turns, client: str) -> str:
        async with turns.room(client), turns.turn(client):
            await asyncio.sleep(0)
        return client

    async def crowd() -> str:
        turns = Turns()
        async with turns.turn("first"):
            leaves = asyncio.create_task(one(turns, "leaves"))
            stays = asyncio.create_task(one(turns, "stays"))
            await asyncio.sleep(0.01)
        leaves.cancel()  # its turn has been given to it
        return await asyncio.wait_for(stays, 5)

    assert asyncio.run(crowd()) == "stays"
    assert turns.MOST_REQUESTS == 16


def test_one_image_does_not_wait_for_a_thousand(model: Model) -> None:
    products: list[int] = []
    batcher = Batcher(model, seen=products.append)
    rng = np.random.default_rng(0)
    answered: list[tuple[int, int]] = []

    async def one(count: int) -> None:
        await batcher(rng.random((count, 784), np.float32))
        answered.append((count, len(products)))

    async def crowd() -> None:
        await asyncio.gather(*[one(1000) for _ in range(3)], one(2))

    asyncio.run(crowd())
    # It has a part in the first product, and is answered before the third.
    assert answered[0][0] == 2
    assert answered[0][1] <= 2
