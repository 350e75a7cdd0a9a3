"""What may be asked of the service, what it answers, and what it refuses with one sentence."""

from __future__ import annotations

import gzip
import io
import json
import math
import zlib
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI, HTTPException
from PIL import Image, ImageDraw

from chainrule.arrays import Array
from chainrule.checkpoint import Model
from chainrule.committee import Committee
from chainrule.data import digits
from chainrule.pages import model_as_dict
from chainrule.service import predicting
from chainrule.service.app import Readiness, application, tell_errors
from chainrule.service.batching import Batcher, FullError
from chainrule.service.guard import LOOPBACK
from service.conftest import FILES, Asker, network, running
from service.test_guard import told

ROUTES = ["/v1/predict", "/v1/model", "/v1/weights", "/healthz", "/readyz", "/metrics",
          "/openapi.json", "/", "/index.html", "/main.js", "/nothing"]  # fmt: skip


def encoded(image: Image.Image, kind: str = "PNG", **settings: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def drawing(width: int = 120, height: int = 160) -> Image.Image:
    """A seven."""
    image = Image.new("L", (width, height), 240)
    line = [(width * 0.25, height * 0.2), (width * 0.7, height * 0.2), (width * 0.4, height * 0.8)]
    ImageDraw.Draw(image).line(line, fill=20, width=max(2, width // 12), joint="curve")
    return image


def test_raw_rows_get_what_the_network_says(ask: Asker, model: Model, images: Array) -> None:
    answer = ask.rows(images.tobytes())
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json["model"] == "small"
    expected = model.predict_proba(images / np.float32(255))
    for prediction, row in zip(answer.json["predictions"], expected, strict=True):
        assert set(prediction) == {"digit", "confidence", "probabilities"}
        np.testing.assert_allclose(prediction["probabilities"], row, rtol=1e-4, atol=1e-6)
        assert prediction["digit"] == row.argmax()
        assert prediction["confidence"] == max(prediction["probabilities"])


def test_who_asks_for_octets_gets_raw_numbers(ask: Asker, images: Array) -> None:
    told = ask.rows(images.tobytes()).json["predictions"]
    answer = ask.rows(images.tobytes(), Accept="text/html, application/octet-stream;q=0.9")
    assert answer.headers["content-type"] == "application/octet-stream"
    numbers = np.frombuffer(answer.body, "<f4").reshape(20, 10)
    np.testing.assert_array_equal(
        numbers, np.array([one["probabilities"] for one in told], np.float32)
    )


@pytest.mark.parametrize("shape", [(784,), (28, 28)])
def test_json_of_whole_numbers_and_of_fractions_is_what_raw_rows_are(
    ask: Asker, images: Array, shape: tuple[int, ...]
) -> None:
    raw = ask.rows(images.tobytes()).body
    assert ask.json({"images": [image.reshape(shape).tolist() for image in images]}).body == raw
    fractions = (images / np.float32(255)).astype(float)
    assert ask.json({"images": [one.reshape(shape).tolist() for one in fractions]}).body == raw


def test_an_image_of_zeros_and_ones_alone_is_one_of_fractions(ask: Asker, images: Array) -> None:
    bits = images // 128
    told = ask.json({"images": bits.tolist()}).body
    assert told == ask.rows((bits * 255).tobytes()).body
    # One image does not decide for another one.
    both = ask.json({"images": [images[0].tolist(), bits[0].tolist()]}).json["predictions"]
    assert both[1] == json.loads(told)["predictions"][0]


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_is_brought_into_the_form_of_mnist(ask: Asker, model: Model, kind: str) -> None:
    content = encoded(drawing(), kind)
    (digit,) = digits.find(Image.open(io.BytesIO(content)))
    expected = model.predict_proba(digit.pixels.reshape(1, -1))[0]
    for answer in (ask.picture(content, f"image/{kind.lower()}"), ask.files(("7", content))):
        assert answer.status == 200, answer.body
        (prediction,) = answer.json["predictions"]
        np.testing.assert_allclose(prediction["probabilities"], expected, rtol=1e-4, atol=1e-6)
        assert (prediction["picture"], prediction["box"]) == (0, list(digit.box))


def test_several_pictures_keep_their_order_and_may_have_several_digits(ask: Asker) -> None:
    two = Image.new("L", (300, 160), 240)
    two.paste(drawing(), (0, 0))
    two.paste(drawing(), (160, 0))
    answer = ask.files(("one", encoded(drawing())), ("two", encoded(two)))
    places = [(one["picture"], one["box"][1] > 150) for one in answer.json["predictions"]]
    assert places == [(0, False), (1, False), (1, True)]


def refused(ask: Asker, status: int, *words: str, **request: Any) -> None:
    """Sends one request in a way that its name says, and sees that it is refused with words."""
    ((way, value),) = request.items()
    answer = getattr(ask, way)(*value if isinstance(value, tuple) else (value,))
    assert answer.status == status, answer.body
    for word in words:
        assert word in answer.error
    assert ask("GET", "/healthz").status == 200


BLANK = [0.0] * 784


@pytest.mark.parametrize(
    ("status", "word", "value"),
    [
        (400, "no JSON", b""),
        (400, "no JSON", b"{"),
        (400, "no JSON", b'{"images": [[NaN]]}'),
        (400, "no JSON", b'{"images": [[Infinity]]}'),
        (400, "no JSON", b"[" * 100_000),
        (400, "no JSON", b'{"images": "\xff"}'),
        (422, "nothing else", []),
        (422, "nothing else", None),
        (422, "nothing else", {"image": [BLANK]}),
        (422, "nothing else", {"images": [BLANK], "model": "other"}),
        (422, "at least one", {"images": []}),
        (422, "at least one", {"images": BLANK[0]}),
        (422, "no list", {"images": BLANK}),
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


def bomb() -> bytes:
    """A PNG of some hundred bytes and 400 million pixels."""
    content = bytearray(encoded(Image.new("L", (8, 8))))
    content[16:24] = (20_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize(
    ("status", "word", "content"),
    [
        (422, "", b""),
        (422, "not a whole PNG or JPEG", b"GIF89a nothing"),
        (422, "not a whole PNG or JPEG", encoded(drawing())[:300]),
        (422, "not a whole PNG or JPEG", encoded(drawing(), "GIF")),
        (422, "400000000 pixels", bomb()),
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


def test_many_large_pictures_are_refused_before_they_take_long(ask: Asker) -> None:
    large = encoded(drawing(2040, 2050).convert("1"))
    refused(ask, 413, "16,777,216 pixels in all", files=tuple(("p", large) for _ in range(5)))
    refused(ask, 400, "64", files=tuple(("p", b"x") for _ in range(65)))


def test_a_form_must_hold_files(ask: Asker) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=cut"}
    field = b'--cut\r\nContent-Disposition: form-data; name="a"\r\n\r\ntext\r\n--cut--\r\n'
    for body, status, word in [
        (field, 422, "'a' is no file"),
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
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404), ("GET", "//main.js", 404),
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


def test_the_page_and_its_files_are_served(ask: Asker) -> None:
    page = ask("GET", "/")
    assert (page.status, page.body) == (200, FILES["index.html"])
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert ask("GET", "/index.html").body == page.body
    script = ask("GET", "/main.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    head = ask("HEAD", "/main.js")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(script.body))


def test_the_model_is_described(ask: Asker) -> None:
    told = ask("GET", "/v1/model").json
    assert (told["model"], told["inputs"], told["shape"]) == ("small", 784, [28, 28])
    assert told["classes"] == list("0123456789")
    assert told["parameters"] == 785 * 32 + 33 * 16 + 17 * 10
    assert told["members"][0]["layers"][0] == {"fan_in": 784, "fan_out": 32, "activation": "relu"}


def test_the_weights_are_sent_once_and_packed_if_asked(ask: Asker, model: Model) -> None:
    plain = ask("GET", "/v1/weights")
    assert plain.json == model_as_dict(model, "small")
    packed = ask("GET", "/v1/weights", headers={"Accept-Encoding": "br, gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    tag = {"If-None-Match": plain.headers["etag"]}
    again = ask("GET", "/v1/weights", headers=tag)
    assert (again.status, again.body) == (304, b"")


def test_what_was_done_is_counted(ask: Asker, images: Array) -> None:
    def figures() -> dict[str, float]:
        lines = ask("GET", "/metrics").body.decode().splitlines()
        pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
        return {name: float(value) for name, _, value in pairs}

    before = figures()
    ask.rows(images.tobytes())
    ask.rows(b"wrong")
    ask("GET", "/unheard/of")
    after = figures()

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert grown("chainrule_images_total") == 20
    assert grown("chainrule_product_images_count") == 1
    assert grown('chainrule_requests_total{route="/v1/predict",status="200"}') == 1
    assert grown('chainrule_requests_total{route="/v1/predict",status="422"}') == 1
    assert grown('chainrule_requests_total{route="other",status="404"}') == 1
    assert grown('chainrule_request_seconds_count{route="/v1/predict"}') == 2
    assert after["chainrule_waiting_images"] == 0
    assert not math.isnan(after["process_resident_memory_bytes"])


def test_ready_is_who_passed_the_first_test_and_does_not_end(ask: Asker) -> None:
    assert ask("GET", "/readyz").json == {"status": "ready"}
    ask.readiness.draining = True
    try:
        assert "about to end" in ask("GET", "/readyz").error
        assert ask("GET", "/readyz").status == 503
        assert ask("GET", "/healthz").status == 200
    finally:
        ask.readiness.draining = False


def test_a_network_that_says_nan_is_never_ready(caplog: pytest.LogCaptureFixture) -> None:
    broken = network(784, 10)
    broken.b[0][...] = np.nan
    with running(Model(broken, (), (28, 28))) as ask:
        assert "first test" in ask("GET", "/readyz").error
        assert ask("GET", "/healthz").status == 200
    assert "fails its first test" in caplog.text


def test_models_of_another_size_and_of_other_classes_do(images: Array) -> None:
    model = Model(network(12, 5, 3), ("cat", "dog", "owl"), (3, 4))
    with running(model) as ask:
        rows = images[:, :12].copy()
        told = ask.rows(rows.tobytes()).json["predictions"]
        expected = model.predict_proba(rows / np.float32(255)).argmax(axis=1)
        assert [one["label"] for one in told] == [model.classes[k] for k in expected]
        assert "digit" not in told[0]
        nested = ask.json({"images": rows.reshape(20, 3, 4).tolist()})
        assert nested.json["predictions"] == told
        picture = Image.fromarray(rows[0].reshape(3, 4))
        shown = ask.picture(encoded(picture)).json["predictions"][0]
        assert shown["probabilities"] == told[0]["probabilities"]
        refused(ask, 422, "4 x 4 pixels", "4 x 3", picture=encoded(Image.new("L", (4, 4))))
        refused(ask, 422, "784 bytes", "12 (3 x 4)", rows=b"\0" * 784)
        refused(ask, 422, "784 numbers", "12 (3 x 4)", json={"images": [BLANK]})


def test_a_network_whose_images_have_no_known_shape_takes_rows_alone(images: Array) -> None:
    with running(Model(network(784, 10))) as ask:
        assert ask.rows(images.tobytes()).status == 200
        refused(ask, 422, "send raw rows of 784 bytes", picture=encoded(drawing()))


def test_a_committee_answers_by_its_mean(images: Array) -> None:
    members = tuple(network(784, 16, 10, seed=seed, dtype=np.float64) for seed in range(3))
    model = Model(Committee(members), tuple("0123456789"), (28, 28), pixel_scale=0.5)
    with running(model) as ask:
        raw = ask.rows(images.tobytes(), Accept="application/octet-stream").body
        assert len(ask("GET", "/v1/model").json["members"]) == 3
    expected = model.predict_proba((images / np.float32(255)).astype(np.float64))
    np.testing.assert_allclose(np.frombuffer(raw, "<f4").reshape(20, 10), expected, rtol=1e-5)


def test_where_too_much_waits_the_client_is_asked_to_come_again(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Batcher, images: int) -> None:
        raise FullError

    monkeypatch.setattr(predicting, "MOST_WAITING", 0)
    answers = [ask.picture(encoded(drawing()))]
    monkeypatch.setattr(Batcher, "check_room", full)
    answers += [ask.rows(b"\0" * 784), ask.json({"images": [BLANK]})]
    for answer in answers:
        assert (answer.status, answer.headers["retry-after"]) == (429, "1")
        assert "again in a second" in answer.error


def test_before_it_has_started_nothing_is_predicted(model: Model) -> None:
    app = application(
        model, "small", files={}, weights=dict[str, Any], readiness=Readiness(), hosts=LOOPBACK
    )
    status, headers, body = told(app, "POST", "/v1/predict")
    assert (status, headers["retry-after"]) == (503, "1")
    assert set(json.loads(body)) == {"error"}
    assert told(app, "GET", "/readyz")[0] == 503


def test_errors_of_the_framework_are_one_sentence_too() -> None:
    app = FastAPI()
    tell_errors(app)

    @app.get("/number")
    async def number(n: int) -> int:
        if n == 418:
            raise HTTPException(418, "a teapot")
        return 1 // n

    for query, status, word in [(b"n=x", 422, "integer"), (b"n=418", 418, "a teapot")]:
        answered, headers, body = told(app, "GET", "/number", query=query)
        assert (answered, headers["content-type"]) == (status, "application/json")
        assert word in json.loads(body)["error"]
    with pytest.raises(ZeroDivisionError):
        told(app, "GET", "/number", query=b"n=0")


def test_other_drawings_than_digits_are_taken_whole(images: Array) -> None:
    model = Model(network(784, 10), tuple("abcdefghij"), (28, 28))
    two = Image.new("L", (300, 160), 240)
    two.paste(drawing(), (0, 0))
    two.paste(drawing(), (160, 0))
    with running(model) as ask:
        (prediction,) = ask.picture(encoded(two)).json["predictions"]
        assert prediction["box"] == [0, 0, 160, 300]
        assert prediction["label"] in model.classes
