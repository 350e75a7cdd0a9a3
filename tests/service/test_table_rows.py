"""A network of a table in the service: rows of cells, by name or in order."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from chainrule.core.schema import Column, Schema
from chainrule.nn.model_file import Model
from chainrule.nn.network import Network
from chainrule.service.endpoint import LARGE_JSON
from chainrule.service.refusal import RequestError
from chainrule.service.requests import Form, read_json
from chainrule.service.responses import description
from chainrule.service.schemas import Description, body_of_rows
from chainrule.service.table_rows import read_cells
from service.conftest import running

SCHEMA = Schema(
    (Column("mass", 0, 10.0, 2.0), Column("colour", 2, categories=("blue", "red"))),
    "species", 1, 3, header=True,
)  # fmt: skip
ROW = {"mass": 12, "colour": "red"}


def model() -> Model:
    network = Network.dense([3, 4, 2], rng=np.random.default_rng(0))
    return Model(network, ("ant", "bee"), schema=SCHEMA)


def body(*rows: Any) -> bytes:
    return json.dumps({"rows": rows}).encode()


def test_rows_by_name_and_in_order_are_the_same_inputs() -> None:
    expected = np.array([[1, 0, 1], [-5, 1, 0], [0, 0, 0]], np.float32)
    named = ({"colour": "red", "mass": 12}, {"mass": 0, "colour": "blue"},
             {"mass": None, "colour": None, "species": "ant"})  # fmt: skip
    listed = ([12.0, " red "], [0, "blue"], [None, None])
    for rows in (named, listed):
        np.testing.assert_array_equal(read_cells(body(*rows), SCHEMA), expected)


def test_large_bodies_are_read_by_the_form_that_the_worker_gets() -> None:
    form = Form.from_json(json.loads(json.dumps(Form.of(model()).as_json())))
    asked = read_json(body(ROW), form)
    np.testing.assert_array_equal(asked.images, [[1, 0, 1]])


WRONG: dict[str, tuple[bytes, int, str]] = {
    "no JSON": (b"{", 400, "the body is not JSON"),
    "images": (b'{"images": [[1]]}', 422, 'must be {"rows": [...]}'),
    "no row": (body(), 422, "at least one row"),
    "too many rows": (body(*[[1, "red"]] * 1025), 413, "1,025 rows: at most 1,024"),
    "a number": (body(3), 422, "row 0 is neither an object nor a list"),
    "a short list": (body(ROW, [1]), 422, "row 1 has 1 cells: the network takes 2, mass, colour"),
    "a misspelt name": (
        body(ROW | {"mas": 1}), 422, "row 0 has a column 'mas': did you mean mass",
    ),
    "a lacking name": (body({"mass": 1}), 422, "row 0 lacks the column 'colour': null stands"),
    "a word for a number": (body([" 12", "red"]), 422, "row 0, column 'mass': ' 12' is not a n"),
    "a truth": (body([True, "red"]), 422, "'True' is not a number"),
    "a list in a cell": (body([1, ["red"]]), 422, "is not a word or a number"),
    "a number far away": (body([1e300, "red"]), 422, "row 0 has a number too far"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_rows_are_refused_in_a_sentence(case: str) -> None:
    sent, status, said = WRONG[case]
    with pytest.raises(RequestError) as refused:
        read_cells(sent, SCHEMA)
    assert refused.value.status == status
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_description_names_the_columns() -> None:
    told = description(model(), "t")
    Description(**told)
    assert told["columns"] == [
        {"name": "mass"}, {"name": "colour", "categories": ("blue", "red")},
    ]  # fmt: skip
    assert told["target"] == "species"


def test_the_example_of_the_api_description_is_a_valid_request() -> None:
    content = body_of_rows(SCHEMA)["content"]["application/json"]
    example = content["examples"]["mean"]["value"]
    np.testing.assert_array_equal(read_cells(json.dumps(example).encode(), SCHEMA), [[0, 1, 0]])


def test_the_service_answers_rows_and_refuses_all_else() -> None:
    table = model()
    with running(table) as ask:
        answer = ask.json({"rows": [ROW, [0, "blue"]]})
        assert answer.status == 200
        expected = table.predict_proba(np.array([[1, 0, 1], [-5, 1, 0]], np.float32))
        for prediction, row in zip(answer.json["predictions"], expected, strict=True):
            assert prediction["label"] == ("ant", "bee")[int(row.argmax())]
            np.testing.assert_allclose(prediction["probabilities"], row, rtol=1e-5)
        for kind in ("application/octet-stream", "image/png", "multipart/form-data", ""):
            refusal = ask("POST", "/v1/predict", b"123", {"Content-Type": kind})
            assert refusal.status == 415
            assert "reads rows of a table" in refusal.error
        large = [{"mass": k, "colour": "red", "species": "x" * 30} for k in range(1024)]
        assert len(json.dumps(large)) > LARGE_JSON  # read beside the service
        assert len(ask.json({"rows": large}).json["predictions"]) == 1024
