"""Prediction endpoint: reads a request's images, predicts them in a batch, and answers."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from chainrule.data.readers.archives import MIB
from chainrule.nn.model_file import Model
from chainrule.service.batcher import Batcher, FullError
from chainrule.service.metrics import Counts
from chainrule.service.requests import (
    MOST_PICTURES,
    Asked,
    Form,
    RequestError,
    read_json,
    read_pictures,
    read_rows,
)
from chainrule.service.responses import as_json, as_octets, finite
from chainrule.service.schemas import OCTETS
from chainrule.service.security import RETRY, Receive, Scope, Send, answer, refuse

MOST_WAITING = 16
"""Most requests with pictures that wait for the one decoding thread."""
PICTURES = ("image/png", "image/jpeg")
OCTETS_HEADER = (b"content-type", OCTETS.encode())
JSON_HEADER = (b"content-type", b"application/json")
# The client is told what is wrong with its form.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


class Service:
    """Prediction service of a model: batcher, decoder and limits."""

    def __init__(self, model: Model, name: str, counts: Counts) -> None:
        self.name = name
        self.classes = model.labels
        self.form = Form.of(model)
        self.batcher = Batcher(model, seen=counts.product)
        counts.watch_queue(lambda: self.batcher.waiting)
        self._decoder = ThreadPoolExecutor(1, "pictures")
        self._decoding = 0

    def close(self) -> None:
        """Stops its threads; no request waits for them any more."""
        self.batcher.close()
        self._decoder.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request for predictions, whose body comes in one message.

        An ASGI application of its own: the framework's routing takes twice as long as all the rest.
        """
        headers = dict(scope["headers"])
        try:
            asked = await self.asked(headers.get(b"content-type", b""), scope, receive)
            probabilities = await self.batcher(asked.images)
        except RequestError as error:
            await refuse(send, error.status, str(error))
        except FullError:
            await refuse(
                send, 429, "too many images are queued: send them again in a second", [RETRY]
            )
        else:
            if wants_octets(headers.get(b"accept", b"")):
                await answer(send, 200, as_octets(probabilities), [OCTETS_HEADER])
            else:
                told = as_json(self.name, self.classes, probabilities, asked.places)
                await answer(send, 200, told, [JSON_HEADER])

    async def asked(self, content_type: bytes, scope: Scope, receive: Receive) -> Asked:
        """Images of a request."""
        kind = content_type.partition(b";")[0].strip().lower().decode("latin-1")
        if kind == "multipart/form-data":
            return await self._pictures(await uploads(Request(scope, receive)))
        body = (await receive()).get("body", b"")
        if kind == OCTETS:
            self.batcher.check_room(len(body) // self.form.inputs)
            return read_rows(body, self.form)
        if kind == "application/json":
            return read_json(body, self.form)
        if kind in PICTURES:
            return await self._pictures([("the picture", body)])
        raise RequestError(
            415,
            f"a body of type {kind[:80]!r}: send {OCTETS}, application/json, image/png, image/jpeg "
            "or multipart/form-data",
        )

    async def _pictures(self, files: list[tuple[str, bytes]]) -> Asked:
        if self._decoding >= MOST_WAITING:
            raise FullError
        self._decoding += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(
                self._decoder, partial(read_pictures, files, self.form)
            )
        finally:
            self._decoding -= 1

    async def test(self) -> bool:
        """Self-test: True if an image gets probabilities, the same ones in any row of a batch."""
        stroke = np.zeros((1, self.form.inputs), np.float32)
        stroke[:, self.form.inputs // 3 : self.form.inputs // 2] = 1
        other = np.full((self.batcher.rows, self.form.inputs), 0.5, np.float32)
        alone, first, last = await asyncio.gather(
            self.batcher(stroke),
            self.batcher(np.concatenate([stroke, other])),
            self.batcher(np.concatenate([other, stroke])),
        )
        same = alone[0].tobytes() == first[0].tobytes() == last[-1].tobytes()
        return same and finite(alone)


async def uploads(request: Request) -> list[tuple[str, bytes]]:
    """(name, content) of the files in a form."""
    files = []
    try:
        async with request.form(
            max_files=MOST_PICTURES, max_fields=MOST_PICTURES, max_part_size=MIB
        ) as form:
            for name, value in form.multi_items():
                if not isinstance(value, UploadFile):
                    raise RequestError(422, f"the field {name[:80]!r} is not a file: send pictures")
                files.append(((value.filename or name)[:80], await value.read()))
    except (MultiPartException, HTTPException) as error:
        what = error.message if isinstance(error, MultiPartException) else error.detail
        raise RequestError(400, f"the form cannot be read: {what}") from None
    return files


def wants_octets(accept: bytes) -> bool:
    """True if the client asks for raw numbers."""
    parts = accept.lower().split(b",")
    return any(part.partition(b";")[0].strip() == OCTETS_HEADER[1] for part in parts)
