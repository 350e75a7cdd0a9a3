"""Dynamic batching: images that arrive together go through the network together, up to 64 at once.

An image's probabilities are the same to the last bit, regardless of the rest of its batch. BLAS
chooses its kernel, and so the order of its sums, by the number of rows: every product therefore has
the same number, padded with zeros. Some kernels sum the last rows of a product in another order
than the first (OpenBLAS's for Haswell, in float32, from 12 rows on), so the number is the largest
of ROWS for which this network gives one image the same bits in every row, tested at startup.

No request waits for a batch to fill: the event loop first reads everything that has arrived, then
the product is computed; requests that come meanwhile are in the next one. Each product takes as
many images of every request that waits, so that a small one does not wait for the large ones before
it. A quick product runs in the loop itself, a slow one in a thread, so that the server stays
responsive.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float, UInt8
from chainrule.nn.model_file import Model
from chainrule.nn.predictor import Predictor

ROWS = (64, 48, 16, 8, 4, 1)
TRIALS = 3
WHITE = np.float32(255)
GOLDEN = 0.6180339887498949
MOST_IMAGES = 4096
"""Most images in the queue; a request that finds it empty is always taken."""
FEW = 16
"""Images of a request for which the queue may be twice as long: large ones do not shut it out."""
QUICK = 0.002
"""Seconds: a product that takes longer runs in a thread."""

Pixels: TypeAlias = Float[Array, "N n"] | UInt8[Array, "N n"]
Predict: TypeAlias = Callable[[Array], Array]


class FullError(Exception):
    """Full queue; the client should retry."""


@dataclass
class Request:
    """Queued request: its images, and how many of them are done."""

    images: Array
    probabilities: Array
    answer: asyncio.Future[Array]
    taken: int = 0
    """Number of its images that have gone into a product."""


Part: TypeAlias = tuple[Request, slice, slice]
"""A request, some of its rows, and their rows in the product."""


class Batcher:
    """Dynamic batcher of a model's predictions: `await batcher(images)`."""

    def __init__(self, model: Model, *, seen: Callable[[int], None] = lambda images: None) -> None:
        """Tests the model once; `seen` gets the number of images of each product."""
        self.inputs, self.outputs = model.inputs, model.outputs
        self.dtype = model.members[0].dtype
        self._predict = predictor(model)
        self._seen = seen
        self._queue: deque[Request] = deque()
        self._waiting = 0
        self._running = False
        self.rows = uniform_rows(self._predict, self.inputs, self.dtype)
        self._X = np.zeros((self.rows, self.inputs), self.dtype)
        started = perf_counter()
        self._predict(self._X)
        quick = perf_counter() - started < QUICK
        self._thread = None if quick else ThreadPoolExecutor(1, "product")

    def close(self) -> None:
        """Stops its thread."""
        if self._thread:
            self._thread.shutdown()

    @property
    def waiting(self) -> int:
        """Number of queued images."""
        return self._waiting

    def check_room(self, images: int) -> None:
        """Raises FullError if the queue has no room for that many more images."""
        most = 2 * MOST_IMAGES if images <= FEW else MOST_IMAGES
        if self._waiting and self._waiting + images > most:
            raise FullError

    async def __call__(self, images: Pixels) -> Float[Array, "N K"]:
        """Probabilities of the classes, (N, K), for images with pixels in 0..1, or of bytes 0..255.

        Raises FullError if too many images are queued already.
        """
        self.check_room(len(images))
        loop = asyncio.get_running_loop()
        probabilities = np.empty((len(images), self.outputs), np.float32)
        request = Request(images, probabilities, loop.create_future())
        self._queue.append(request)
        self._waiting += len(images)
        if not self._running:
            self._running = True
            loop.call_soon(self._next)
        return await request.answer

    def _next(self) -> None:
        """Computes one product; schedules the next, so that the loop handles other events first."""
        if not self._queue:
            self._running = False
            return
        parts = self._take()
        X = self._X
        loop = asyncio.get_running_loop()
        if self._thread:
            task = loop.run_in_executor(self._thread, self._predict, X)
            task.add_done_callback(lambda done: self._resume(parts, done.result))
        else:
            self._resume(parts, lambda: self._predict(X))

    def _take(self) -> list[Part]:
        """Fills the rows of the next product from all requests in turn, padding with zeros."""
        X = self._X
        parts: list[Part] = []
        filled = 0
        share = max(1, self.rows // max(1, len(self._queue)))
        while self._queue and filled < self.rows:
            request = self._queue.popleft()
            count = min(share, self.rows - filled, len(request.images) - request.taken)
            theirs = slice(request.taken, request.taken + count)
            rows = slice(filled, filled + count)
            if request.images.dtype == np.uint8:
                np.divide(request.images[theirs], WHITE, out=X[rows], dtype=np.float32)
            else:
                X[rows] = request.images[theirs]
            parts.append((request, theirs, rows))
            request.taken += count
            filled += count
            if request.taken < len(request.images):
                self._queue.append(request)
        X[filled:] = 0
        self._waiting -= filled
        self._seen(filled)
        return parts

    def _give(self, parts: list[Part], probabilities: Array) -> None:
        """Hands the rows of a product to their requests."""
        for request, theirs, rows in parts:
            request.probabilities[theirs] = probabilities[rows]
            if theirs.stop == len(request.images) and not request.answer.done():
                request.answer.set_result(request.probabilities)

    def _resume(self, parts: list[Part], result: Callable[[], Array]) -> None:
        try:
            self._give(parts, result())
        except Exception as error:
            for request, _, _ in parts:
                if not request.answer.done():
                    request.answer.set_exception(error)
        asyncio.get_running_loop().call_soon(self._next)


def uniform_rows(predict: Predict, inputs: int, dtype: Any) -> int:
    """Largest number of ROWS for which an image gets the same bits in every row."""
    for rows in ROWS[:-1]:
        for trial in range(1, TRIALS + 1):
            # Evenly spread in 0..1, and no two alike.
            image = np.modf(np.arange(trial, trial + inputs) * trial * GOLDEN)[0].astype(dtype)
            probabilities = predict(np.repeat(image[None], rows, axis=0))
            if len({row.tobytes() for row in probabilities}) > 1:
                break
        else:
            return rows
    return 1


def predictor(model: Model) -> Predict:
    """Fast prediction function of a model, for pixels in 0..1; for an ensemble, the members' mean.

    One BLAS thread per product (`one_blas_thread`): several would split its sums differently.
    """
    members = [Predictor(network) for network in model.members]
    scale: Any = model.members[0].dtype.type(model.pixel_scale)

    @np.errstate(over="ignore", invalid="ignore")  # the answers are checked
    def predict(X: Array) -> Array:
        if model.pixel_scale != 1:
            X = X * scale
        mean = members[0](X)
        for member in members[1:]:
            mean += member(X)
        if len(members) > 1:
            mean /= len(members)
        return mean

    return predict
