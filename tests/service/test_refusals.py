"""What the service refuses: the right status, one sentence, and it stays up."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from helpers.photos import BOMB
from service.conftest import BLANK, Asker, drawing, encoded, refused

ROUTES = ["/v1/predict", "/v1/model", "/v1/weights", "/healthz", "/readyz", "/metrics",
          "/openapi.json", "/", "/index.html", "/draw_page.js", "/nothing"]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "word", "value"),
    [
        (400, "not JSON", b""),
        (400, "not JSON", b"{"),
        (400, "not JSON", b'{"images": [[NaN]]}'),
        (400, "not JSON", b'{"images": [[Infinity]]}'),
        (400, "not JSON", b"[" * 1500),
        (422, "lists and strings", b"[" * 100_000),
        (400, "not JSON", b'{"images": "\xff"}'),
        (422, "nothing else", []),
        (422, "nothing else", None),
        (422, "nothing else", {"image": [BLANK]}),
        (422, "nothing else", {"images": [BLANK], "model": "other"}),
        (422, "at least one", {"images": []}),
        (422, "at least one", {"images": BLANK[0]}),
        (422, "not a list", {"images": BLANK}),
        (422, "783 numbers", {"images": [BLANK[1:]]}),
        (422, "784 (28 x 28)", {"images": [BLANK, [*BLANK, 0]]}),
        (422, "0 numbers", {"images": [[]]}),
        (422, "27 rows of 28", {"images": [[[0.0] * 28] * 27]}),
        (422, "28 rows of 28", {"images": [[[0.0] * 27] * 28]}),
        (422, "28 rows", {"images": [[[0.0] * 28] * 27 + [0]]}),
        (422, "side by side", {"images": [[*BLANK[1:], [0]]]}),
        (422, "list among its pixels", {"images": [[[[0.0]] * 28] * 28]}),
        (422, "bool among its pixels", {"images": [[*BLANK[1:], True]]}),
        (422, "NoneType among its pixels", {"images": [[*BLANK[1:], None]]}),
        (422, "str among its pixels", {"images": [[*BLANK[1:], "1"]]}),
        (422, "value 256", {"images": [[*BLANK[1:], 256]]}),
        (422, "value -1", {"images": [[*BLANK[1:], -1]]}),
        (422, "value -0.001", {"images": [[*BLANK[1:], -0.001]]}),
        (422, "value 1e+300", {"images": [[*BLANK[1:], 1e300]]}),
        (422, "0.5: give", {"images": [[*BLANK[2:], 0.5, 2]]}),
        (413, "at most 1,024", {"images": [[]] * 1025}),
    ],
)  # fmt: skip
def test_json_that_is_something_else_is_refused(
    ask: Asker, status: int, word: str, value: Any
) -> None:
    if word == "side by side":
        # A row after numbers is a list among them.
        word = "list among its pixels"
    refused(ask, status, word, json=value)


@pytest.mark.parametrize("length", [0, 1, 783, 785, 28 * 28 * 3 - 1])
def test_raw_bytes_that_are_no_whole_images_are_refused(ask: Asker, length: int) -> None:
    refused(ask, 422, f"{length:,} bytes", "784 (28 x 28)", rows=b"\0" * length)


def test_ten_thousand_images_are_refused(ask: Asker) -> None:
    refused(ask, 413, "7,840,000", "1,048,576", rows=b"\0" * 7_840_000)


def test_the_largest_request_is_answered(ask: Asker) -> None:
    answer = ask.rows(b"\7" * 784 * 1024)
    assert answer.status == 200
    assert len({str(one) for one in answer.json["predictions"]}) == 1


@pytest.mark.parametrize(
    ("status", "word", "content"),
    [
        (422, "", b""),
        (422, "not a whole PNG or JPEG", b"GIF89a nothing"),
        (422, "not a whole PNG or JPEG", encoded(drawing())[:300]),
        (422, "not a whole PNG or JPEG", encoded(drawing(), "GIF")),
        (422, "it is far too large", BOMB.read_bytes()),
        (422, "4,194,304 pixels", encoded(Image.new("1", (2048, 2049)))),
        (422, "no digit found", encoded(Image.new("L", (100, 100), 255))),
        (422, "no digit found", encoded(Image.new("RGBA", (50, 80), (0, 0, 0, 0)))),
    ],
    ids=["empty", "text", "cut", "gif", "bomb", "large", "blank", "transparent"],
)
def test_a_picture_that_is_none_is_refused(
    ask: Asker, status: int, word: str, content: bytes
) -> None:
    refused(ask, status, word, "the picture", picture=content)
    refused(ask, status, word, "p.png", files=((("p.png", content))[0:2],))


def test_each_of_several_pictures_that_cannot_be_read_is_named(ask: Asker) -> None:
    good, cut = encoded(drawing()), encoded(drawing())[:300]
    blank = encoded(Image.new("L", (100, 100), 255))
    answer = ask.files(("good.png", good), ("cut.png", cut), ("blank.png", blank))
    assert answer.status == 422
    first, second = answer.error.split("; blank.png: ")
    assert first.startswith("cut.png: ")
    assert "no digit found" in second
    assert "good.png" not in answer.error


def test_many_large_pictures_are_refused_before_they_take_long(ask: Asker) -> None:
    large = encoded(drawing(2040, 2050).convert("1"))
    refused(ask, 413, "16,777,216 pixels in all", files=tuple(("p", large) for _ in range(5)))
    refused(ask, 400, "64", files=tuple(("p", b"x") for _ in range(65)))


def test_a_form_must_hold_files(ask: Asker) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=cut"}
    field = b'--cut\r\nContent-Disposition: form-data; name="a"\r\n\r\ntext\r\n--cut--\r\n'
    for body, status, word in [
        (field, 422, "'a' is not a file"),
        (b"--cut--\r\n", 422, "at least one"),
        (b"no form", 400, ""),
        (b"", 422, "at least one"),
    ]:
        answer = ask("POST", "/v1/predict", body, kind)
        assert (answer.status, word in answer.error) == (status, True), answer
    answer = ask("POST", "/v1/predict", field, {"Content-Type": "multipart/form-data"})
    assert (answer.status, answer.error != "") == (400, True)


@pytest.mark.parametrize("kind", ["", "text/plain", "image/gif", "application/x-pickle", "\u00e4"])
def test_other_kinds_of_body_are_refused_by_name(ask: Asker, kind: str) -> None:
    headers = {"Content-Type": kind.encode("latin-1").decode("latin-1")}
    answer = ask("POST", "/v1/predict", b"\0" * 784, headers)
    assert answer.status == 415
    assert "application/octet-stream" in answer.error


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_every_route_refuses_a_foreign_host(ask: Asker, method: str, path: str) -> None:
    answer = ask(method, path, None, {"Host": "evil.test"})
    assert answer.status == 421
    if method != "HEAD":
        assert "evil.test" in answer.error


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404), ("POST", "/nothing", 404), ("GET", "/v1/", 404),
        ("GET", "/v1/model/", 404), ("GET", "/../etc/passwd", 404), ("GET", "/docs", 404),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404), ("GET", "//draw_page.js", 404),
        ("GET", "/redoc", 404), ("GET", "/v1/predict", 405), ("POST", "/v1/model", 405),
        ("DELETE", "/healthz", 405), ("PUT", "/", 405), ("OPTIONS", "/v1/predict", 405),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused_with_one_sentence(
    ask: Asker, method: str, path: str, status: int
) -> None:
    answer = ask(method, path)
    assert (answer.status, answer.error != "") == (status, True)
    assert ("allow" in answer.headers) == (status == 405)
