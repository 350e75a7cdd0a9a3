"""What may be asked of the service, and what it answers."""

from __future__ import annotations

import gzip
import io
import json
import math
import subprocess
import threading
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI, HTTPException
from PIL import Image

from chainrule.core.arrays import Array
from chainrule.digits import preprocess as digits
from chainrule.nn.committee import Committee
from chainrule.nn.model_file import Model
from chainrule.service import batcher as batching
from chainrule.service import turns
from chainrule.service.app import Readiness, application, tell_errors
from chainrule.service.batcher import Batcher, FullError
from chainrule.service.responses import PART, json_parts
from chainrule.service.security import LOOPBACK
from chainrule.web.bundle import model_as_dict
from service.conftest import BLANK, FILES, Asker, drawing, encoded, network, refused, running
from service.test_guard import told


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


def test_the_page_and_its_files_are_served(ask: Asker) -> None:
    page = ask("GET", "/")
    assert (page.status, page.body) == (200, FILES["index.html"])
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert ask("GET", "/index.html").body == page.body
    script = ask("GET", "/draw_page.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"


VARYING = ("date",)


def test_head_is_answered_wherever_get_is_with_its_headers_and_no_body(ask: Asker) -> None:
    documented = ask("GET", "/openapi.json").json["paths"]
    for path in [*documented, "/openapi.json", "/", "/index.html", "/draw_page.js", "/nothing"]:
        get, head = ask("GET", path), ask("HEAD", path)
        assert (head.status, head.body) == (get.status, b""), path
        named = [{k: v for k, v in one.headers.items() if k not in VARYING} for one in (get, head)]
        # The metrics count this very request.
        lengths = [one.pop("content-length") for one in named]
        assert named[0] == named[1], path
        assert lengths[0] == lengths[1] or path == "/metrics", path
    packed = ask("HEAD", "/v1/weights", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    tag = packed.headers["etag"]
    assert ask("HEAD", "/v1/weights", headers={"If-None-Match": tag}).status == 304


def test_a_connection_goes_on_after_head(ask: Asker) -> None:
    head = b"HEAD /v1/weights HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answered = ask.raw(head + head + last)
    assert answered.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert answered.endswith(b'\r\n\r\n{"status":"ok"}')


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
        assert "shutting down" in ask("GET", "/readyz").error
        assert ask("GET", "/readyz").status == 503
        assert ask("GET", "/healthz").status == 200
    finally:
        ask.readiness.draining = False


def test_its_end_leaves_no_thread_and_no_process(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "QUICK", 0.0)  # products in a thread too
    before = set(threading.enumerate())
    processes: list[Any] = []
    start = subprocess.Popen

    def noted(*command: Any, **named: Any) -> Any:
        processes.append(start(*command, **named))
        return processes[-1]

    monkeypatch.setattr(subprocess, "Popen", noted)
    with running(model) as ask:
        assert ask.picture(encoded(drawing())).status == 200
        ours = {thread.name.partition("_")[0] for thread in set(threading.enumerate()) - before}
        assert ours >= {"server", "decoder", "product"}
        process = processes[0]
        assert process.poll() is None
    assert set(threading.enumerate()) <= before
    assert process.poll() is not None


def test_a_network_that_says_nan_is_never_ready(caplog: pytest.LogCaptureFixture) -> None:
    broken = network(784, 10)
    broken.b[0][...] = np.nan
    with running(Model(broken, (), (28, 28))) as ask:
        assert "self-test" in ask("GET", "/readyz").error
        assert ask("GET", "/healthz").status == 200
    assert "fails its self-test" in caplog.text


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

    monkeypatch.setattr(turns, "MOST_REQUESTS", 0)
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


def test_an_answer_written_in_parts_is_one_answer() -> None:
    probabilities = np.random.default_rng(0).random((3 * PART + 5, 10)).astype(np.float32)
    places = tuple({"picture": n} for n in range(len(probabilities)))
    parts = list(json_parts("it", tuple("0123456789"), probabilities, places))
    assert len(parts) == 5
    told = json.loads(b"".join(parts))
    assert told["model"] == "it"
    assert [one["picture"] for one in told["predictions"]] == list(range(len(probabilities)))
    assert [one["digit"] for one in told["predictions"]] == probabilities.argmax(axis=1).tolist()
    row = told["predictions"][-1]["probabilities"]
    assert np.array_equal(np.float32(row), probabilities[-1])
