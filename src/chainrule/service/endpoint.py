"""Prediction endpoint: reads a request's images, predicts them in a batch, and answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np

from chainrule.core.errors import ModelFileError
from chainrule.nn.model_file import Model
from chainrule.nn.predictor import check_answers
from chainrule.service.batcher import Batcher, FullError
from chainrule.service.decoder import Decoder, GoneError
from chainrule.service.metrics import Counts
from chainrule.service.refusal import RequestError
from chainrule.service.requests import Asked, Form, read_json, read_rows
from chainrule.service.responses import PART, as_octets, finite, json_parts
from chainrule.service.schemas import OCTETS
from chainrule.service.security import RETRY, Receive, Scope, Send, answer, refuse

LARGE_JSON = 32 * 1024
"""Bytes of JSON above which it is read beside the service, as it takes milliseconds."""
PICTURES = ("image/png", "image/jpeg", "multipart/form-data")
OCTETS_HEADER = (b"content-type", OCTETS.encode())
JSON_HEADER = (b"content-type", b"application/json")


class Service:
    """Prediction service of a model: batcher, decoder and limits."""

    def __init__(self, model: Model, name: str, counts: Counts) -> None:
        self.name = name
        self.classes = model.labels
        self.form = Form.of(model)
        self.batcher = Batcher(model, seen=counts.product)
        counts.watch_queue(lambda: self.batcher.waiting)
        self.decoder = Decoder(self.form)
        self._writing = asyncio.Lock()

    def close(self) -> None:
        """Stops its threads and processes; no request waits for them any more."""
        self.batcher.close()
        self.decoder.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request for predictions, whose body comes in one message.

        An ASGI application of its own: the framework's routing takes twice as long as all the rest.
        """
        headers = dict(scope["headers"])
        try:
            asked = await self.asked(headers.get(b"content-type", b""), scope, receive)
            probabilities = await self.batcher(asked.images)
            check_answers(probabilities)
        except GoneError:
            return
        except ModelFileError as error:
            await refuse(send, 422, str(error))
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
                parts = json_parts(self.name, self.classes, probabilities, asked.places)
                told = next(parts) + next(parts)
                if len(probabilities) > PART:
                    told += await self._written(parts)
                await answer(send, 200, told, [JSON_HEADER])

    async def _written(self, parts: Iterator[bytes]) -> bytes:
        """The rest of a large answer: a part in each turn of the loop, whatever others write."""
        written = []
        async with self._writing:
            for part in parts:
                written.append(part)
                await asyncio.sleep(0)
        return b"".join(written)

    async def asked(self, content_type: bytes, scope: Scope, receive: Receive) -> Asked:
        """Images of a request."""
        kind = content_type.partition(b";")[0].strip().lower().decode("latin-1")
        body = (await receive()).get("body", b"")
        if self.form.schema and kind != "application/json":
            raise RequestError(
                415, f"a body of type {kind[:80]!r}: this network reads rows of a table, send "
                'application/json with {"rows": [...]}',
            )  # fmt: skip
        if kind == OCTETS:
            self.batcher.check_room(len(body) // self.form.inputs)
            return read_rows(body, self.form)
        client = scope.get("client")
        if kind == "application/json":
            self.batcher.check_room(self.form.most_images(len(body)))
            if len(body) <= LARGE_JSON:
                return read_json(body, self.form)
            return await self.decoder.json(body, client, receive)
        if kind in PICTURES:
            self.batcher.check_room(1)
            told = content_type.decode("latin-1")
            return await self.decoder.pictures(body, told, client, receive)
        raise RequestError(
            415,
            f"a body of type {kind[:80]!r}: send {OCTETS}, application/json, image/png, image/jpeg "
            "or multipart/form-data",
        )

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


def wants_octets(accept: bytes) -> bool:
    """True if the client asks for raw numbers."""
    parts = accept.lower().split(b",")
    return any(part.partition(b";")[0].strip() == OCTETS_HEADER[1] for part in parts)
