"""Decoder: bodies that take time are read in a process beside the service, within a budget.

Every request has so many seconds of that process. When they are used up, or the client is gone, or
the service ends, the job is called off: the process is killed, and the next job starts another.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Coroutine, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from threading import Lock
from typing import Any, TypeVar

import numpy as np

from chainrule.service.frames import read_frame, write_frame
from chainrule.service.pictures import Album, File, Look
from chainrule.service.refusal import RequestError
from chainrule.service.requests import Asked, Form
from chainrule.service.security import Receive
from chainrule.service.turns import Turns

# -P: a file in the user's folder must not shadow a module.
COMMAND = (sys.executable, "-P", "-m", "chainrule.service.worker")
BUDGET = 8.0
"""Seconds of the reader process for one request."""
GRACE = 0.5
"""Seconds that a job may still take when its client is gone: a new process takes as long."""
Result = TypeVar("Result")


class GoneError(Exception):
    """The client has disconnected; nobody waits for an answer."""


class Reader:
    """Process that reads bodies, started when it is first needed."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def exchange(self, header: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
        """Answer to one job; EOFError if the process ended meanwhile."""
        process = self._running()
        assert process.stdin
        assert process.stdout
        try:
            write_frame(process.stdin, header, content)
            return read_frame(process.stdout)
        except (OSError, EOFError):
            with self._lock:
                self.discard()
            raise EOFError from None

    def kill(self) -> None:
        """Ends the process at once, whatever it does."""
        with self._lock:
            if self._process:
                self._process.kill()

    def close(self) -> None:
        """Ends the process; no other is started."""
        self._closed = True
        self.kill()

    def _running(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise EOFError
            if self._process and self._process.poll() is None:
                return self._process
            self.discard()
            self._process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert self._process.stdin
            write_frame(self._process.stdin, self._form.as_json())
            return self._process

    def discard(self) -> None:
        """Ends the process and closes its pipes; nobody else may use it meanwhile."""
        if self._process:
            self._process.kill()
            with suppress(OSError):
                self._process.communicate()
            self._process = None


class Decoder:
    """Reads JSON, forms and pictures for many clients, fairly and within limits."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.turns = Turns()
        self._reader = Reader(form)
        self._thread = ThreadPoolExecutor(1, "decoder")

    def close(self) -> None:
        """Ends the process, and whatever it reads."""
        self._reader.close()
        self._thread.shutdown()
        self._reader.discard()

    async def json(self, body: bytes, client: Hashable, receive: Receive) -> Asked:
        """Images from a JSON body."""
        async with self.turns.room(client):
            job = Job(self, client)
            return Asked(_rows(*await attended(job.run({"job": "json"}, body), receive)))

    async def pictures(
        self, body: bytes, content_type: str, client: Hashable, receive: Receive
    ) -> Asked:
        """Images from one picture, or from a form with several."""
        async with self.turns.room(client):
            return await attended(self._album(body, content_type, Job(self, client)), receive)

    async def _album(self, body: bytes, content_type: str, job: Job) -> Asked:
        files: list[File] = [("the picture", body)]
        if content_type.lstrip().lower().startswith("multipart/"):
            told, content = await job.run({"job": "files", "type": content_type}, body)
            ends = np.cumsum([0, *told["sizes"]]).tolist()
            parts = [content[start:end] for start, end in pairwise(ends)]
            files = list(zip(told["names"], parts, strict=True))
        album = Album(files, self.form)
        for number, (_, picture) in enumerate(files):
            left = {"images": album.images_left, "pixels": album.pixels_left}
            told, rows = await job.run({"job": "picture", **left}, picture)
            if "unreadable" in told:
                album.refuse(number, told["unreadable"])
            else:
                album.add(number, Look(_rows(told, rows), tuple(told["places"]), told["pixels"]))
        return album.asked()

    async def exchange(
        self, header: dict[str, Any], content: bytes, seconds: float
    ) -> tuple[dict[str, Any], bytes]:
        """Answer of the process to one job; TimeoutError, and its end, if it takes longer."""
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(self._thread, self._reader.exchange, header, content)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(job)
        except (TimeoutError, asyncio.CancelledError) as error:
            try:
                if isinstance(error, asyncio.CancelledError):
                    await asyncio.wait({job}, timeout=GRACE)
            finally:
                if not job.done():
                    self._reader.kill()
                    await asyncio.wait({job})
                if not job.cancelled():
                    job.exception()
            raise


class Job:
    """Work for one request, step by step, within its budget."""

    def __init__(self, decoder: Decoder, client: Hashable) -> None:
        self._decoder = decoder
        self._client = client
        self._left = BUDGET

    async def run(self, header: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
        """Answer to one step; RequestError for a refusal, or when the budget is used up."""
        loop = asyncio.get_running_loop()
        async with self._decoder.turns.turn(self._client):
            began = loop.time()
            try:
                if not self._left:
                    raise TimeoutError
                told, rows = await self._decoder.exchange(header, content, self._left)
            except TimeoutError:
                raise RequestError(
                    413, f"reading it takes more than {BUDGET:g} seconds: send less at a time"
                ) from None
            except EOFError:
                raise RequestError(
                    422, "its reader was ended by what it read: send another form of it"
                ) from None
            finally:
                self._left = max(0.0, self._left - (loop.time() - began))
        if "error" in told:
            raise RequestError(told["status"], told["error"])
        return told, rows


async def attended(work: Coroutine[Any, Any, Result], receive: Receive) -> Result:
    """Result of the work, which is cancelled when the client disconnects: GoneError."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(until_gone(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise GoneError
    finally:
        gone.cancel()
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()


async def until_gone(receive: Receive) -> None:
    """Waits until the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _rows(told: dict[str, Any], rows: bytes) -> Any:
    return np.frombuffer(rows, told["dtype"]).reshape(told["count"], -1)
