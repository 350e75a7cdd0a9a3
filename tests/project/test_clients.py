"""The short form of `make clients`: which answers are right, and those of the clients at hand."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest

from chainrule.data.dataset import DIGITS
from chainrule.nn.model_file import Model
from chainrule.nn.network import Network
from stress.clients.__main__ import asked, row_of
from stress.clients.machine import CLIENTS, PROGRAMS, Client
from stress.clients.questions import (
    BODIES,
    GETS,
    LARGE,
    Answer,
    Right,
    read_answers,
    write_bodies,
    wrong,
)


def test_curl_and_python_are_answered_right() -> None:
    rows = list(asked([one for one in CLIENTS if one.name in ("curl --http2", "urllib")]))
    assert len(rows) == 3
    assert [row for row in rows if not row.held] == []
    assert rows[1].figure == "14 answers, 0 wrong"


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Right:
    network = Network.dense((784, 16, 10), rng=np.random.default_rng(0))
    return Right(Model(network, DIGITS, (28, 28)), write_bodies(tmp_path_factory.mktemp("bodies")))


def predictions(digits: list[int]) -> bytes:
    return json.dumps({"predictions": [{"digit": digit} for digit in digits]}).encode()


def all_right(right: Right) -> dict[str, Answer]:
    answers = {f"{method} {path}": Answer(200, "2", b"ok") for path in GETS for method in ("GET",)}
    answers |= {f"HEAD {path}": Answer(200, "2", b"") for path in GETS}
    for name in ("json", "large"):
        answers[name] = Answer(200, "9", predictions(right.classes(name) or []))
    answers["picture"] = answers["form"] = Answer(200, "9", predictions([1]))
    return answers | {"refused": Answer(413, "9", b'{"error": "too large"}')}


def test_right_answers_are_right(right: Right) -> None:
    answers = all_right(right)
    assert set(answers) == {*(f"GET {p}" for p in GETS), *(f"HEAD {p}" for p in GETS), *BODIES,
                            "form"}  # fmt: skip
    assert wrong(answers, right, forms=True) == []
    del answers["form"]
    assert wrong(answers, right, forms=False) == []
    assert wrong(answers, right, forms=True) == ["form: no answer"]


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        ("HEAD /", Answer(405, "2", b""), "status 405 instead of 200"),
        ("HEAD /", Answer(200, "0", b""), "length 0, of GET 2"),
        ("HEAD /", Answer(200, "2", b"ok"), "a body of 2 bytes"),
        ("GET /", Answer(200, "2", b""), "no body"),
        ("json", Answer(200, "9", b"<html>"), "not predictions"),
        ("large", Answer(200, "9", predictions([0] * LARGE)), "other classes"),
        ("picture", Answer(200, "9", predictions([])), "0 digits"),
        ("refused", Answer(200, "9", predictions([])), "status 200 instead of 413"),
        ("refused", Answer(413, "0", b""), "no sentence"),
    ],
)
def test_each_wrong_answer_is_seen(right: Right, question: str, answer: Answer, said: str) -> None:
    (found,) = wrong(all_right(right) | {question: answer}, right, forms=True)
    assert found.startswith(f"{question}: ")
    assert said in found


def test_what_a_client_prints_is_read() -> None:
    body = base64.b64encode(b"a\tb\n").decode()
    assert read_answers(f"HEAD /\t200\t-\t{body}\n") == {"HEAD /": Answer(200, "-", b"a\tb\n")}
    with pytest.raises(ValueError, match="not enough values"):
        read_answers("Exception in thread main\n")


def test_a_client_that_is_not_there_is_named_without_a_promise(
    right: Right, tmp_path: Path
) -> None:
    for missing in (
        Client("none", "no-such-program"),
        Client("none", "python", module="no_such_module"),
        Client("none", "python", browser="no-such-program"),
    ):
        row = row_of(missing, "http://127.0.0.1:1", tmp_path, right)
        assert (row.figure, row.promise) == ("not on this machine", "")
    row = row_of(CLIENTS[3], "http://127.0.0.1:1", tmp_path, right)
    assert not row.held
    assert "refused" in row.figure


def test_every_program_of_a_client_is_there() -> None:
    named = {Path(word) for client in CLIENTS for word in client.arguments}
    assert {path for path in PROGRAMS.iterdir() if path.is_file()} <= named
