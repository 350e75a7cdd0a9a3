"""Requests made up from the service's own description; `make load` sends thousands."""

from __future__ import annotations

import pytest

from benchmarks.service.fuzzing import fuzz, small_model
from conftest import oracle
from service.conftest import Asker, running


@pytest.mark.parametrize("examples", [20, pytest.param(100, marks=pytest.mark.long)])
def test_no_made_up_request_makes_the_service_fail_or_answer_otherwise_than_described(
    examples: int,
) -> None:
    """For each operation at most as many as there are examples."""
    oracle("schemathesis")
    with running(small_model()) as ask:
        report = fuzz(ask.port, examples, seed=0)
        assert ask("GET", "/readyz").status == 200
    assert report["failures"] == report["errors"] == []
    assert report["test_cases"]["generated"] > examples
    assert report["operations"]["tested"] == report["operations"]["total"] >= 6


def test_the_description_is_of_openapi_3_1_and_has_examples(ask: Asker) -> None:
    told = ask("GET", "/openapi.json").json
    assert told["openapi"].startswith("3.1")
    content = told["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    assert set(content) == {
        "application/json", "application/octet-stream", "image/png", "image/jpeg",
        "multipart/form-data",
    }  # fmt: skip
    example = content["application/json"]["examples"]["blank"]["value"]
    assert ask.json(example).status == 200
