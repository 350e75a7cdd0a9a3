"""Metadata of pictures: they cost nothing, turn a picture upright, and change no pixel."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from chainrule.core.errors import DataError
from chainrule.data.readers import metadata
from chainrule.data.readers.images import decode_picture
from chainrule.data.readers.metadata import bare

SHADES = np.arange(6 * 9 * 3, dtype=np.uint8).reshape(6, 9, 3)


def written(kind: str, image: Image.Image | None = None, **settings: object) -> bytes:
    buffer = io.BytesIO()
    (image or Image.fromarray(SHADES)).save(buffer, kind, **settings)
    return buffer.getvalue()


def decoded(data: bytes) -> Image.Image:
    return decode_picture(data, "it", side=4096, pixels=2**22)


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L", len(content)) + kind + content + struct.pack(
        ">L", zlib.crc32(kind + content)
    )  # fmt: skip


def inside_jpeg(*segments: bytes, of: bytes | None = None) -> bytes:
    data = of or written("JPEG")
    return data[:2] + b"".join(segments) + data[2:]


def inside_png(*chunks: bytes, of: bytes | None = None) -> bytes:
    data = of or written("PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def directory(order: str, *entries: tuple[int, int, int, bytes]) -> bytes:
    """EXIF with one directory of these (tag, type, number, value)."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", 8)
    body = b"".join(struct.pack(order + "HHL4s", *entry) for entry in entries)
    return head + struct.pack(order + "H", len(entries)) + body + bytes(4)


def turned(order: str, number: int) -> bytes:
    return directory(order, (0x0112, 3, 1, struct.pack(order + "H", number) + b"\0\0"))


XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
PROFILE = b"\nexif\n      32\n" + turned("<", 6).hex().encode() + b"\n"
PLACES: dict[str, Callable[[bytes], bytes]] = {
    "segment": lambda exif: inside_jpeg(segment(0xE1, b"Exif\0\0" + exif)),
    "second segment": lambda exif: inside_jpeg(
        segment(0xFE, b"a remark"), segment(0xE1, b"Exif\0\0" + exif)
    ),
    "chunk": lambda exif: inside_png(chunk(b"eXIf", exif)),
    "profile": lambda exif: inside_png(
        chunk(
            b"zTXt",
            b"Raw profile type exif\0\0"
            + zlib.compress(b"\nexif\n      32\n" + exif.hex().encode() + b"\n"),
        )
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("number", range(10))
def test_a_picture_is_turned_as_pillow_turns_it(place: str, order: str, number: int) -> None:
    data = PLACES[place](turned(order, number))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert np.array_equal(np.asarray(decoded(data)), np.asarray(expected))
    assert decoded(data).size == ((6, 9) if number in (5, 6, 7, 8) else (9, 6))


@pytest.mark.parametrize(
    "data",
    [
        inside_jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)),
        inside_png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)),
    ],
    ids=["jpeg", "png"],
)
def test_an_orientation_given_as_xmp_alone_counts(data: bytes) -> None:
    assert decoded(data).size == (6, 9)


def kinds() -> dict[str, bytes]:
    colours = Image.fromarray(SHADES)
    deep = Image.fromarray((np.arange(54).reshape(6, 9) * 1000).astype(np.uint16))
    return {
        "png": written("PNG"),
        "palette": written("PNG", colours.quantize(8)),
        "transparent palette": written("PNG", colours.quantize(8), transparency=3),
        "transparent colour": written("PNG", transparency=(0, 1, 2)),
        "bits": written("PNG", colours.convert("1")),
        "16 bits": written("PNG", deep),
        "text": inside_png(chunk(b"tEXt", b"Title\0words")),
        "jpeg": written("JPEG"),
        "progressive": written("JPEG", progressive=True),
        "cmyk": written("JPEG", colours.convert("CMYK")),
        "grey": written("JPEG", colours.convert("L")),
        "rgb": written("JPEG", keep_rgb=True),
        "profile": written("JPEG", icc_profile=b"profile" * 20_000, comment=b"words"),
        "photoshop": inside_jpeg(segment(0xED, b"Adobe_CM\0"), of=written("JPEG", keep_rgb=True)),
        "filled": inside_jpeg(b"\xff" * 50, segment(0xE5, b""), b"\xff" * 7),
    }


@pytest.mark.parametrize("kind", kinds())
def test_no_pixel_changes(kind: str) -> None:
    data = kinds()[kind]
    mine, pillows = decoded(data), Image.open(io.BytesIO(data))
    if pillows.mode == "P":
        pillows = pillows.convert("RGBA" if "transparency" in pillows.info else "RGB")
    assert mine.mode == pillows.mode
    assert np.array_equal(np.asarray(mine), np.asarray(pillows))
    assert mine.info.get("transparency") == pillows.info.get("transparency")


OVERLAPPING = [(40_000 + n, 7, 2**20, b"\x10\0\0\0") for n in range(9_000)]
HEAVY = {
    "EXIF segments": inside_jpeg(segment(0xE1, b"Exif\0\0") * 60_000),
    "EXIF with content": inside_jpeg(segment(0xE1, b"Exif\0\0" + bytes(9_000)) * 900),
    "comments": inside_jpeg(segment(0xFE, b"") * 60_000),
    "profiles": inside_jpeg(segment(0xE2, b"ICC_PROFILE\0" + bytes(2)) * 60_000),
    "photoshop": inside_jpeg(segment(0xED, b"Photoshop 3.0\0" + b"8BIM" + bytes(65_000)) * 120),
    "filling": inside_jpeg(b"\xff" * 2**23),
    "zeros": inside_jpeg(segment(0xFE, b""), bytes(2**20)),
    "after the end": written("JPEG") + segment(0xE1, b"Exif\0\0" + bytes(9_000)) * 900,
    "overlapping tags": inside_png(chunk(b"eXIf", directory("<", *OVERLAPPING) + bytes(2**20))),
    "texts": inside_png(chunk(b"tEXt", b"a\0b") * 60_000),
    "packed texts": inside_png(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**20))) * 60),
    "profile text": inside_png(
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"0" * 2**26))
    ),
    "colour profile": inside_png(chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2**26)))),
    "frames": inside_png(chunk(b"acTL", struct.pack(">LL", 2, 0)), chunk(b"fcTL", bytes(26)) * 99),
}  # fmt: skip


@pytest.mark.parametrize("kind", HEAVY)
def test_metadata_reach_no_decoder(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = HEAVY[kind]
    plain = bare(data, "it")
    small = written("PNG" if data.startswith(b"\x89") else "JPEG")
    assert plain == bare(small, "it")
    read: list[int] = []
    safe_read = ImageFile._safe_read

    def counted(file: io.BytesIO, size: int) -> bytes:
        read.append(size)
        return safe_read(file, size)

    monkeypatch.setattr(ImageFile, "_safe_read", counted)
    assert decoded(data).size == (9, 6)
    assert sum(read) <= len(small)


@pytest.mark.parametrize(
    "data",
    [inside_jpeg(segment(0xFE, b"") * 65_536), inside_png(chunk(b"tEXt", b"a\0b") * 65_536)],
    ids=["jpeg", "png"],
)
def test_more_parts_than_a_picture_has_are_refused(data: bytes, tmp_path: Path) -> None:
    assert metadata.MOST_PARTS == 65_536
    with pytest.raises(DataError, match="it consists of more than 65,536 parts"):
        decoded(data)


def test_every_cut_of_a_turned_picture_is_a_picture_or_one_sentence() -> None:
    said: list[str] = []
    for data in (PLACES["segment"](turned(">", 6)), PLACES["chunk"](turned("<", 6))):
        for end in range(len(data)):
            try:
                decoded(data[:end])
            except DataError as error:
                said.append(str(error))
    assert said
    assert all(text.startswith("it is not a whole PNG or JPEG") for text in said)


def test_an_orientation_that_is_none_is_upright() -> None:
    for value in (
        b"",
        b"II",
        b"II*\0\xff\xff\xff\xff",
        turned("<", 6)[:-9],
        directory("<", (0x0112, 2, 1, b"6\0\0\0")),
        directory("<", (0x0112, 3, 9, b"\6\0\0\0")),
    ):
        assert bare(PLACES["segment"](value), "it").orientation == 1
