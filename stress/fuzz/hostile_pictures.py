"""Hostile pictures, made by hand: sizes, bombs in their metadata, endless scans, other formats."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from stress.fuzz.hostile_data import Hostile
from stress.fuzz.pictured import SIGNATURE, Chunk, chunks

MIB = 2**20


def _png(pieces: Sequence[Chunk], *, wrong: int = 0) -> bytes:
    return SIGNATURE + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content) ^ wrong)
        for kind, content in pieces
    )


def _header(width: int, height: int, depth: int = 8, color: int = 0, lace: int = 0) -> Chunk:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, lace)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pngs() -> Hostile:
    """PNG."""
    rows = b"IDAT", zlib.compress(bytes(5 * 4))
    end = b"IEND", b""
    blank = b"IDAT", zlib.compress(bytes(4 * MIB), 9)
    bomb = zlib.compress(bytes(4 * MIB), 9)
    broken, large = "not a whole PNG or JPEG", "is far too large"
    whole = _png([_header(4, 4), rows, end])
    sizes = {
        f"{width}x{height}": (_png([_header(width, height, 8, 6), rows, end]), words)
        for width, height, words in (
            (65535, 65535, large),
            (2**31 - 1, 2**31 - 1, large),
            (2**32 - 1, 1, large),
            (10_000, 10_000, "at most 4096 a side"),
            (4096, 4096, "4,194,304 pixels"),
            (1_000_000, 1, "at most 4096 a side"),
            (0, 4, broken),
            (4, 0, broken),
        )
    }
    return sizes | {
        "bomb-in-pixels": (_png([_header(20_000, 8000), blank, end]), "20000x8000"),
        "profile-bomb": (
            _png([_header(4, 4), (b"iCCP", b"a\0\0" + bomb), (b"IDAT", b""), end]),
            broken,
        ),
        "text-bomb": (
            _png([_header(4, 4), (b"zTXt", b"a\0\0" + bomb), (b"IDAT", b""), end]),
            broken,
        ),
        "text-bombs": (
            _png([_header(4, 4), *[(b"zTXt", b"a\0\0" + bomb)] * 4, (b"IDAT", b""), end]),
            broken,
        ),
        "international-bomb": (
            _png([_header(4, 4), (b"iTXt", b"a\0\1\0\0\0" + bomb), (b"IDAT", b""), end]),
            broken,
        ),
        "checksums": (_png([_header(4, 4), rows, end], wrong=1), broken),
        "signature-alone": (whole[:8], broken),
        "header-alone": (whole[:33], broken),
        "cut": (whole[:-30], broken),
        "no-pixels": (_png([_header(4, 4), end]), broken),
        "too-few-pixels": (_png([_header(400, 400), rows, end]), broken),
        "depth-3": (_png([_header(4, 4, 3), rows, end]), broken),
        "color-7": (_png([_header(4, 4, 8, 7), rows, end]), broken),
        "filter-9": (_png([_header(4, 4), (b"IDAT", zlib.compress(b"\x09" * 20)), end]), broken),
        "pixels-are-no-zlib": (_png([_header(4, 4), (b"IDAT", b"x" * 60), end]), broken),
        "transparency-beyond-the-palette": (
            _png([_header(4, 4, 8, 3), (b"PLTE", bytes(6)), (b"tRNS", bytes(300)), rows, end]),
            "palette index out of range",
        ),
        "two-headers": (_png([_header(4, 4), _header(60_000, 60_000), rows, end]), large),
        "frames": (
            _png([_header(4, 4), (b"acTL", b"\xff" * 8), (b"fcTL", b"\xff" * 26), end]), broken,
        ),
    }  # fmt: skip


def jpegs() -> Hostile:
    """JPEG."""
    noise = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    whole = _saved(Image.fromarray(noise), "JPEG", quality=50)
    small = _saved(Image.new("L", (16, 16), 77), "JPEG", progressive=True, quality=10)
    last = small[small.rindex(b"\xff\xda") : -2]
    frame = whole.index(b"\xff\xc0")
    broken = "not a whole PNG or JPEG"
    return {
        "jpeg-65535x65535": (
            whole[: frame + 5] + b"\xff\xff\xff\xff" + whole[frame + 9 :],
            "is far too large",
        ),
        "jpeg-5000x5000": (
            whole[: frame + 5] + b"\x13\x88\x13\x88" + whole[frame + 9 :],
            "at most 4096 a side",
        ),
        "jpeg-0x0": (whole[: frame + 5] + b"\0\0\0\0" + whole[frame + 9 :], broken),
        "jpeg-cut": (whole[:-60], broken),
        "jpeg-cut-in-tables": (whole[:100], broken),
        "jpeg-first-bytes": (whole[:3], broken),
        "jpeg-without-frame": (whole[:frame] + whole[frame + 13 :], broken),
        "jpeg-precision-12": (whole[: frame + 4] + b"\x0c" + whole[frame + 5 :], broken),
        "jpeg-255-components": (whole[: frame + 9] + b"\xff" + whole[frame + 10 :], broken),
        "jpeg-segment-without-end": (b"\xff\xd8\xff\xe1\xff\xff" + b"Exif\0\0", broken),
        "jpeg-300-scans": (small[:-2] + last * 300 + small[-2:], "in 306 scans"),
        "jpeg-all-ff": (b"\xff\xd8" + b"\xff" * 5000, broken),
    }


def others() -> Hostile:
    """Formats that are not read, under the name of one that is."""
    image = Image.new("L", (4, 4))
    broken = "its first bytes are of neither"
    kinds = ("GIF", "TIFF", "BMP", "PPM", "ICO", "TGA", "PCX", "WEBP")
    return {f"{kind.lower()}-disguised": (_saved(image, kind), broken) for kind in kinds} | {
        "svg-disguised": (
            b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
            broken,
        ),
        "svg-entities": (
            b'<!DOCTYPE s [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><svg>&b;</svg>',
            broken,
        ),
        "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n(owned) (w) file\n", broken),
        "pdf": (b"%PDF-1.7\n1 0 obj<</JS(app.alert)>>endobj\n", broken),
        "zip": (b"PK\3\4" + bytes(60), broken),
        "html": (b"<html><body>no picture</body></html>", broken),
        "nothing": (b"", "is empty"),
    }


def pictures() -> Hostile:
    """All of them."""
    assert chunks(pngs()["header-alone"][0])
    return pngs() | jpegs() | others()
