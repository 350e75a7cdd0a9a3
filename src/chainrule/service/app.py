"""Web application: a network's predictions over HTTP, and the page to draw on and look inside."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from chainrule.core.blas import one_blas_thread
from chainrule.core.version import __version__
from chainrule.nn.model_file import Model
from chainrule.service.endpoint import Service
from chainrule.service.metrics import Counts, counted
from chainrule.service.responses import description
from chainrule.service.schemas import (
    EVERYWHERE,
    OCTETS,
    PREDICT,
    Description,
    Health,
    Predictions,
    body_of,
    body_of_rows,
    failures,
)
from chainrule.service.security import (
    LOOPBACK,
    RETRY,
    Application,
    Receive,
    Scope,
    Send,
    guard,
    refuse,
    sentence,
)
from chainrule.web.bundle import content_type

logger = logging.getLogger(__name__)


class Readiness:
    """Readiness to take requests; a load balancer asks at /readyz."""

    def __init__(self) -> None:
        self.tested = False
        self.draining = False

    def drain(self) -> None:
        """Marks the start of the shutdown."""
        self.draining = True

    def objection(self) -> str:
        """Reason not to send requests; empty when ready."""
        if self.draining:
            return "not ready: the service is shutting down"
        return "" if self.tested else "not ready: the network has not passed its self-test"


def failure(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """Refusal: one sentence in JSON."""
    more = {"retry-after": RETRY[1].decode()} if status == 503 else {}
    return Response(
        sentence(text), status, {**more, **(headers or {})}, media_type="application/json"
    )


def application(
    model: Model,
    name: str,
    *,
    files: Mapping[str, bytes],
    weights: Callable[[], dict[str, Any]],
    readiness: Readiness,
    hosts: frozenset[str] = LOOPBACK,
    token: str | None = None,
) -> Application:
    """Application for one model, behind the guard and counted.

    `files` are the page's, by name, index.html for /. `weights` returns the model as the page
    reads it; it is called on the first request for it.
    """
    counts = Counts(frozenset({PREDICT, "/v1/model", "/v1/weights", "/healthz", "/readyz", "/"}))

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        with one_blas_thread():
            service = app.state.service = Service(model, name, counts)
            readiness.tested = await service.test()
            if not readiness.tested:
                logger.error("the network fails its self-test; /readyz says so")
            yield
            service.close()

    app = FastAPI(
        title="chainrule",
        version=__version__,
        summary="A dense network's predictions.",
        lifespan=life,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    tell_errors(app)
    _predictions(app, model, name)
    _states(app, readiness, counts)
    _weights(app, weights)
    for path, content in files.items():
        _page(app, f"/{path}", content)
        if path == "index.html":
            _page(app, "/", content)

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["path"], scope["method"]) != (PREDICT, "POST"):
            await app(scope, receive, send)
        elif service := getattr(app.state, "service", None):
            await service(scope, receive, send)
        else:
            await refuse(send, 503, "the service has not started", [RETRY])

    return counted(guard(routed, hosts=hosts, token=token), counts)


def _predictions(app: FastAPI, model: Model, name: str) -> None:
    told = orjson.dumps(description(model, name))

    @app.post(
        PREDICT,
        summary="Predict images",
        response_model=None,
        openapi_extra={
            "requestBody": body_of_rows(model.schema)
            if model.schema
            else body_of(model.inputs, *model.shape)
        },
        responses={
            200: {
                "model": Predictions,
                "description": "For each image; raw float32 rows if requested.",
                "content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}},
            },
            **failures(*EVERYWHERE, 403, 408, 413, 415, 422, 429),
        },
    )
    async def predict() -> Response:
        raise AssertionError("the service answers before a request gets here")

    @app.get(
        "/v1/model",
        summary="Describe the network",
        response_model=None,
        responses={200: {"model": Description}, **failures(*EVERYWHERE)},
    )
    async def describe() -> Response:
        return Response(told, media_type="application/json")


def _states(app: FastAPI, readiness: Readiness, counts: Counts) -> None:
    @app.get(
        "/healthz",
        summary="Liveness",
        response_model=None,
        responses={200: {"model": Health}, **failures(400, 421)},
    )
    async def alive() -> Response:
        return Response(b'{"status":"ok"}', media_type="application/json")

    @app.get(
        "/readyz",
        summary="Readiness",
        response_model=None,
        responses={200: {"model": Health}, **failures(400, 421, 503)},
    )
    async def ready() -> Response:
        if objection := readiness.objection():
            return failure(503, objection)
        return Response(b'{"status":"ready"}', media_type="application/json")

    @app.get(
        "/metrics",
        summary="Metrics for Prometheus",
        response_model=None,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
            **failures(*EVERYWHERE),
        },
    )
    async def metrics() -> Response:
        return Response(counts.text(), media_type="text/plain; version=0.0.4")


def _weights(app: FastAPI, weights: Callable[[], dict[str, Any]]) -> None:
    made: list[asyncio.Task[tuple[bytes, bytes, str]]] = []

    def make() -> tuple[bytes, bytes, str]:
        plain = orjson.dumps(weights())
        return plain, gzip.compress(plain, 1, mtime=0), f'"{sha256(plain).hexdigest()[:32]}"'

    @app.get("/v1/weights", summary="The network's weights, as the page reads them",
             response_model=None, responses=failures(*EVERYWHERE))  # fmt: skip
    async def give(request: Request) -> Response:
        if not made:
            made.append(asyncio.create_task(asyncio.to_thread(make)))
        plain, packed, tag = await asyncio.shield(made[0])
        headers = {"etag": tag, "cache-control": "no-cache", "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            plain = packed
        return Response(plain, headers=headers, media_type="application/json")


def _page(app: FastAPI, path: str, content: bytes) -> None:
    kind = content_type(path)

    @app.get(path, include_in_schema=False)
    async def page() -> Response:
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})


def tell_errors(app: FastAPI) -> None:
    """Error handlers: every error of the framework becomes one sentence in JSON."""

    async def refused(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            return failure(500, "the service failed; its log says where")
        headers = error.headers
        if error.status_code == 404:
            return failure(404, "there is nothing at this address: see /openapi.json")
        if error.status_code == 405:
            allowed = dict(headers or {}).get("allow", "").replace("GET", "GET, HEAD")
            told = f"{request.method} is not allowed here; use {allowed or 'others'}"
            return failure(405, told, {"allow": allowed})
        return failure(error.status_code, f"{error.detail}", headers)

    async def invalid(request: Request, error: Exception) -> Response:
        return failure(422, f"the request does not hold: {error}")

    handler: Callable[[Request, Exception], Awaitable[Response]] = refused
    app.add_exception_handler(HTTPException, handler)
    app.add_exception_handler(Exception, handler)
    app.add_exception_handler(RequestValidationError, invalid)
