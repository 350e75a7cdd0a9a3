"""Requests of hostile clients, and of an honest one."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
from PIL import Image

MIB = 2**20
HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
HEAD_BEGUN = GET[:-2] + b"X-Slow: "
BODY_BEGUN = b"POST /v1/predict HTTP/1.1\r\n" + HOST + b"Content-Length: 1048576\r\n\r\n"
AHEAD = GET * 8000
JSON, PNG, JPEG = b"application/json", b"image/png", b"image/jpeg"
ROWS, FORM = b"application/octet-stream", b"multipart/form-data; boundary=cut"


def post(kind: bytes, body: bytes) -> bytes:
    """A whole request."""
    head = b"POST /v1/predict HTTP/1.1\r\n" + HOST + b"Content-Type: " + kind
    return head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def saved(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    """A picture of these pixels."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def drawn(side: int) -> np.ndarray:
    """A stroke on paper."""
    pixels = np.full((side, side), 255, np.uint8)
    pixels[side // 5 : -side // 5, side // 2 : side // 2 + max(2, side // 16)] = 0
    return pixels


def dots() -> np.ndarray:
    """A picture of 289 dots, each of which could be a digit."""
    pixels = np.full((400, 400), 255, np.uint8)
    for row in range(6, 391, 24):
        for column in range(6, 391, 24):
            pixels[row : row + 9, column : column + 9] = 0
    return pixels


def form(*files: bytes) -> bytes:
    """A form with these files."""
    head = b'--cut\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n'
    return b"".join(head + content + b"\r\n" for content in files) + b"--cut--\r\n"


def with_segments(size: int) -> bytes:
    """A JPEG of so many bytes, nearly all of them EXIF segments."""
    data = saved(drawn(60), "JPEG")
    content = b"Exif\0\0" + bytes(40)
    one = struct.pack(">BBH", 0xFF, 0xE1, len(content) + 2) + content
    return data[:2] + one * ((size - len(data)) // len(one)) + data[2:]


def photo() -> bytes:
    """As many pixels as a picture may have, noisy, in a body of nearly 1 MiB."""
    rng = np.random.default_rng(0)
    noise = rng.integers(100, 140, (256, 256), np.uint8).repeat(8, 0).repeat(8, 1)
    return saved(noise, "JPEG", quality=30)


KINDS: dict[str, Callable[[], bytes]] = {
    "one row": lambda: post(ROWS, bytes(784)),
    "1,024 rows": lambda: post(ROWS, bytes(784 * 1024)),
    "JSON: 660 images": lambda: post(
        JSON, b'{"images":[' + b",".join([b"[" + b",".join([b"0"] * 784) + b"]"] * 660) + b"]}"
    ),
    "JSON: empty lists": lambda: post(JSON, b'{"images":[' + b"[]," * 340_000 + b"[]]}"),
    "JSON: one long list": lambda: post(JSON, b'{"images":[[' + b"9," * 500_000 + b"9]]}"),
    "a picture": lambda: post(PNG, saved(drawn(100))),
    "a photo of 4 million pixels": lambda: post(JPEG, photo()),
    "64 pictures of dots": lambda: post(FORM, form(*[saved(dots())] * 64)),
    "64 pictures of one digit": lambda: post(FORM, form(*[saved(drawn(500))] * 64)),
    "metadata: EXIF segments": lambda: post(JPEG, with_segments(MIB)),
    "form: line ends": lambda: post(FORM, form(b"\r\n" * 500_000)),
    "form: near boundaries": lambda: post(FORM, form(b"\r\n--cu" * 170_000)),
}
"""Requests by their names."""
