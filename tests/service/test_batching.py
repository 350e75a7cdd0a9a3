"""Images that arrive together share a product, and none of them can tell who the others were."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.core.blas import one_blas_thread
from chainrule.nn.model_file import Model
from chainrule.service import batcher as batching
from chainrule.service.batcher import FEW, MOST_IMAGES, Batcher, FullError, uniform_rows
from helpers.processes import answer
from service.conftest import network

WIDTHS = (784, 128, 64, 10)
ROWS = 64
KERNELS = ["Haswell", "SkylakeX", "Nehalem"]


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(network(*WIDTHS))


@pytest.fixture(params=["in the loop", "in a thread"])
def batcher(request: Any, model: Model, monkeypatch: pytest.MonkeyPatch) -> Batcher:
    monkeypatch.setattr(batching, "QUICK", 10.0 if request.param == "in the loop" else 0.0)
    return Batcher(model)


def pixels(rng: np.random.Generator, rows: int) -> Array:
    return rng.random((rows, WIDTHS[0]), np.float32)


def gathered(batcher: Callable[..., Any], *images: Array) -> list[Any]:
    """What several requests get that arrive together; exceptions among it."""

    async def ask() -> list[Any]:
        return await asyncio.gather(*map(batcher, images), return_exceptions=True)

    with one_blas_thread():
        return asyncio.run(ask())


def test_everybody_gets_his_own_rows_in_his_order(batcher: Batcher, model: Model) -> None:
    rng = np.random.default_rng(0)
    requests = [pixels(rng, rows) for rows in (1, 63, 1, 64, 200, 1, 7, 65, 2)]
    for images, probabilities in zip(requests, gathered(batcher, *requests), strict=True):
        assert probabilities.dtype == np.float32
        np.testing.assert_allclose(probabilities, model.predict_proba(images), rtol=1e-4)
    assert batcher.waiting == 0


def test_one_image_gets_the_same_bytes_in_a_thousand_batches(batcher: Batcher) -> None:
    rng = np.random.default_rng(1)
    image = pixels(rng, 1)
    (alone,) = gathered(batcher, image)
    others = pixels(rng, 4 * ROWS)
    times = 100 if batcher._thread else 1000

    async def ask() -> None:
        for _ in range(times):
            before, behind = rng.integers(0, 2 * ROWS, 2)
            start = rng.integers(0, 2 * ROWS)
            parts = [others[start : start + before], image, others[:behind]]
            answers = await asyncio.gather(*[batcher(part) for part in parts if len(part)])
            own = answers[1 if before else 0]
            assert own.tobytes() == alone.tobytes()

    with one_blas_thread():
        asyncio.run(ask())


SAME_BYTES = """
import asyncio, json
import numpy as np
from chainrule.nn.model_file import Model
from chainrule.nn.network import Network
from chainrule.core.blas import describe_blas, one_blas_thread
from chainrule.service.batcher import Batcher

rng = np.random.default_rng(0)
seen, rows = [], []

async def ask():
    for number in range(0, 256, 16):
        alone = await batcher(images[number : number + 1])
        order = rng.permutation(256)
        together = await batcher(images[order])
        seen.append(alone.tobytes() == together[order == number].tobytes())

with one_blas_thread():
    for widths in ((784, 128, 64, 10), (784, 301, 10), (100, 10)):
        for dtype in (np.float32, np.float64):
            network = Network.dense(widths, "tanh", rng=rng, dtype=dtype)
            batcher = Batcher(Model(network))
            images = rng.random((256, widths[0]), np.float32)
            rows.append(batcher.rows)
            asyncio.run(ask())
print(json.dumps([describe_blas(), sum(seen), rows]))
"""


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_same_holds_on_every_kernel_of_blas(kernel: str) -> None:
    blas, same, rows = answer(SAME_BYTES, OPENBLAS_CORETYPE=kernel)
    assert same == 6 * 16
    if "kernel Haswell" in blas:
        # Its products of 64 rows have other sums in the last ones: else there is nothing to test.
        assert rows[0] < 64
    if "kernel SkylakeX" in blas:
        assert rows[0] == 64


def test_a_blas_that_treats_rows_differently_gets_fewer_of_them() -> None:
    def sums_the_last_rows_otherwise(X: Array) -> Array:
        Y = X.sum(axis=1, keepdims=True)
        Y[8:] = X[8:, ::-1].cumsum(axis=1)[:, -1:]
        return Y

    assert uniform_rows(sums_the_last_rows_otherwise, 784, np.float32) == 8
    assert uniform_rows(lambda X: X.sum(axis=1, keepdims=True), 784, np.float32) == ROWS
    assert uniform_rows(lambda X: np.arange(len(X)), 784, np.float32) == 1


def test_images_that_arrive_together_share_products(model: Model) -> None:
    seen: list[int] = []
    batcher = Batcher(model, seen=seen.append)
    gathered(batcher, *pixels(np.random.default_rng(2), 150)[:, None])
    assert sum(seen) == 150
    assert set(seen[:-1]) == {batcher.rows}


def test_the_loop_turns_between_two_products(batcher: Batcher) -> None:
    turns = 0

    async def ask() -> None:
        nonlocal turns
        task = asyncio.create_task(batcher(pixels(np.random.default_rng(3), 10 * ROWS)))
        while not task.done():
            turns += 1
            await asyncio.sleep(0)

    asyncio.run(ask())
    assert turns >= 10


def test_a_full_queue_refuses_and_takes_again_when_it_is_empty(batcher: Batcher) -> None:
    rng = np.random.default_rng(4)
    large = pixels(rng, MOST_IMAGES + 1)
    answers = gathered(batcher, large, pixels(rng, FEW + 1), pixels(rng, FEW + 1))
    assert len(answers[0]) == MOST_IMAGES + 1
    assert [type(one) for one in answers[1:]] == [FullError] * 2
    half = pixels(rng, MOST_IMAGES // 2)
    answers = gathered(batcher, half, half, pixels(rng, FEW + 1))
    assert [type(one) for one in answers] == [np.ndarray, np.ndarray, FullError]
    few = [pixels(rng, FEW) for _ in range(MOST_IMAGES // FEW + 1)]
    answers = gathered(batcher, half, half, *few)
    assert [type(one) for one in answers] == [np.ndarray] * (len(few) + 1) + [FullError]
    assert batcher.waiting == 0


def test_what_a_product_raises_reaches_its_requests_and_no_later_ones(
    batcher: Batcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = pixels(np.random.default_rng(5), 1)

    def fails(X: Array) -> Array:
        raise FloatingPointError("planted")

    predict = batcher._predict
    monkeypatch.setattr(batcher, "_predict", fails)
    answers = gathered(batcher, image, image)
    assert [str(one) for one in answers] == ["planted"] * 2
    monkeypatch.setattr(batcher, "_predict", predict)
    assert gathered(batcher, image)[0].shape == (1, 10)


def test_who_leaves_disturbs_nobody(batcher: Batcher) -> None:
    image = pixels(np.random.default_rng(6), 1)

    async def ask() -> Any:
        leaving = asyncio.create_task(batcher(image))
        staying = asyncio.create_task(batcher(image))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert asyncio.run(ask()).shape == (1, 10)
