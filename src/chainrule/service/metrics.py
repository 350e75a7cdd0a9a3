"""Prometheus metrics of the service, for /metrics."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from chainrule.service.batcher import ROWS
from chainrule.service.security import Application, Message, Receive, Scope, Send

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
OTHER = "other"


class Counts:
    """Metrics of one service, in a registry of its own."""

    def __init__(self, routes: frozenset[str]) -> None:
        """Counts requests by route; those outside `routes` together."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.routes = routes
        self.requests = Counter(
            "chainrule_requests", "Answers.", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "chainrule_request_seconds", "From the headers to the end of the response.",
            ["route"], buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.images = Counter("chainrule_images", "Images predicted.", registry=self.registry)
        self.products = Histogram(
            "chainrule_product_images", "Images in one matrix product.",
            buckets=[2**n for n in range(max(ROWS).bit_length())], registry=self.registry,
        )  # fmt: skip
        self._answers: dict[tuple[str, int], Counter] = {}
        self._seconds: dict[str, Histogram] = {}

    def product(self, images: int) -> None:
        """Records a product of that many images."""
        self.images.inc(images)
        self.products.observe(images)

    def watch_queue(self, waiting: Callable[[], float]) -> None:
        """Adds the queue's length, read whenever the metrics are fetched."""
        gauge = Gauge("chainrule_waiting_images", "Images in the queue.", registry=self.registry)
        gauge.set_function(waiting)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Records a response."""
        # The library looks labels up under a lock; a dictionary is quicker.
        if not (count := self._answers.get((route, status))):
            count = self._answers[route, status] = self.requests.labels(route, str(status))
        if not (histogram := self._seconds.get(route)):
            histogram = self._seconds[route] = self.seconds.labels(route)
        count.inc()
        histogram.observe(seconds)

    def text(self) -> bytes:
        """All metrics, in Prometheus' text format."""
        return generate_latest(self.registry)


def counted(app: Application, counts: Counts) -> Application:
    """Middleware: `app` with each of its responses counted."""

    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        started, status = perf_counter(), 0

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, sent)
        finally:
            route = scope["path"] if scope["path"] in counts.routes else OTHER
            if status:
                counts.answered(route, status, perf_counter() - started)

    return counting
