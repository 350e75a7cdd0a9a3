"""Reader process of the service: bodies that take time to read, one after another.

    python -P -m chainrule.service.worker

It gets the network's form, then one job after another, as frames on stdin, and answers on stdout.
A process can be ended at any moment, which a thread cannot, and holds up nobody. It ends with the
service: when stdin does.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any, TypeAlias

import numpy as np

from chainrule.core.errors import DataError
from chainrule.service.forms import read_form
from chainrule.service.frames import read_frame, write_frame
from chainrule.service.pictures import look_at
from chainrule.service.refusal import RequestError
from chainrule.service.requests import Form, read_json

NICE = 5
"""Lower priority than the service, which answers everybody."""
Header: TypeAlias = dict[str, Any]
Frame: TypeAlias = tuple[Header, bytes]


def json(form: Form, header: Header, body: bytes) -> Frame:
    """Images from JSON."""
    return _rows(read_json(body, form).images)


def files(form: Form, header: Header, body: bytes) -> Frame:
    """Files in a form."""
    found = read_form(body, header["type"])
    told = {"names": [name for name, _ in found], "sizes": [len(one) for _, one in found]}
    return told, b"".join(content for _, content in found)


def picture(form: Form, header: Header, content: bytes) -> Frame:
    """Images on one picture."""
    try:
        look = look_at(content, form, images=header["images"], pixels=header["pixels"])
    except DataError as error:
        return {"unreadable": str(error)}, b""
    told, rows = _rows(look.images)
    return told | {"places": look.places, "pixels": look.pixels}, rows


def _rows(images: Any) -> Frame:
    return {"dtype": images.dtype.str, "count": len(images)}, np.ascontiguousarray(images).tobytes()


JOBS: dict[str, Callable[[Form, Header, bytes], Frame]] = {
    "json": json,
    "files": files,
    "picture": picture,
}


def answer(form: Form, header: Header, content: bytes) -> Frame:
    """What a job gives, or the refusal of what it reads."""
    try:
        return JOBS[header["job"]](form, header, content)
    except RequestError as error:
        return {"status": error.status, "error": str(error)}, b""
    except MemoryError:
        return {"status": 413, "error": "reading it takes too much memory: make it smaller"}, b""


def _listen(pipe: IO[bytes], frames: SimpleQueue[Frame]) -> None:
    """Reads frames in a thread of its own, so that the end of the service is noticed at once."""
    with suppress(EOFError, OSError):
        while True:
            frames.put(read_frame(pipe))
    os._exit(0)


def main() -> None:
    """Answers job after job."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Ctrl-C reaches the whole group; the service still has requests to answer.
        signal.signal(number, signal.SIG_IGN)
    if sys.platform != "win32":
        os.nice(NICE)
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints spoils no frame
    frames = SimpleQueue[Frame]()
    Thread(target=_listen, args=(sys.stdin.buffer, frames), daemon=True).start()
    form = Form.from_json(frames.get()[0])
    while True:
        write_frame(out, *answer(form, *frames.get()))


if __name__ == "__main__":
    main()
