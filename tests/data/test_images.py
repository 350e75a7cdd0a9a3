from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from chainrule.core.errors import DataError
from chainrule.data.dataset import Found, Part
from chainrule.data.readers import images as pictures
from chainrule.data.readers.formats import read
from chainrule.data.readers.images import grey, read_picture


def write_classes(folder: Path, part: Part, suffix: str = ".png") -> Path:
    for index, (image, label) in enumerate(zip(part.images, part.labels, strict=True)):
        place = folder / str(label)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{index:05}{suffix}")
    return folder


def by_label(part: Part) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(part.labels, kind="stable")
    return part.images[order], part.labels[order]


def test_a_folder_with_a_sub_folder_for_each_class_reads_back(
    tmp_path: Path, sample: Found
) -> None:
    found = read(write_classes(tmp_path, sample.train))
    images, labels = by_label(sample.train)
    assert found.test is None
    assert found.classes == tuple("0123456789")
    np.testing.assert_array_equal(found.train.images, images)
    np.testing.assert_array_equal(found.train.labels, labels)


@pytest.mark.parametrize("names", [("train", "test"), ("training", "testing"), ("Train", "Test")])
def test_train_and_test_folders_are_the_two_parts(
    tmp_path: Path, sample: Found, names: tuple[str, str]
) -> None:
    write_classes(tmp_path / names[0], sample.train)
    write_classes(tmp_path / names[1], sample.test)
    found = read(tmp_path)
    np.testing.assert_array_equal(found.train.images, by_label(sample.train)[0])
    np.testing.assert_array_equal(found.test.images, by_label(sample.test)[0])


def test_classes_are_the_names_of_the_sub_folders_sorted(tmp_path: Path) -> None:
    for name, value in (("zebra", 9), ("ant", 5)):
        (tmp_path / name).mkdir()
        Image.new("L", (3, 2), value).save(tmp_path / name / "a.PNG")
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (tmp_path / "ant" / "Thumbs.db").write_bytes(b"x")
    found = read(tmp_path)
    assert found.classes == ("ant", "zebra")
    assert found.train.images[:, 0, 0].tolist() == [5, 9]
    assert found.train.images.shape == (2, 2, 3)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(3):
            Image.new("L", (4, 4), 50 * index).save(tmp_path / name / f"{index}.png")
    return tmp_path


def refusal(folder: Path) -> str:
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    with pytest.raises(DataError) as caught:
        read(folder)
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_picture_of_another_size_is_named(two: Path) -> None:
    Image.new("L", (5, 4)).save(two / "b" / "odd.png")
    assert refusal(two).startswith(
        f"{two / 'b' / 'odd.png'} is 5x4, and the pictures before it 4x4"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"not a picture",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
        b"BM" + bytes(60),
        b"\x00\x00\x00\x0cjP  \r\n\x87\n",
    ],
    ids=["text", "png head", "jpeg head", "gif", "bmp", "jpeg 2000"],
)
def test_a_file_that_is_no_png_or_jpeg_is_named(two: Path, data: bytes) -> None:
    (two / "b" / "bad.png").write_bytes(data)
    assert refusal(two).startswith(f"{two / 'b' / 'bad.png'} is not a whole PNG or JPEG picture")


def test_a_truncated_picture_is_named(two: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, 4), np.uint8)
    for suffix in ("png", "jpg"):
        bad = two / "b" / f"bad.{suffix}"
        Image.fromarray(noise).save(bad)
        bad.write_bytes(bad.read_bytes()[:-25])
        assert str(bad) in refusal(two)
        bad.unlink()


def test_an_empty_picture_is_named(two: Path) -> None:
    (two / "b" / "bad.png").write_bytes(b"")
    assert f"{two / 'b' / 'bad.png'} is empty" in refusal(two)


def test_other_files_among_the_pictures_are_named(two: Path) -> None:
    (two / "b" / "notes.txt").write_text("hello")
    assert "notes.txt is not a PNG or JPEG picture" in refusal(two)


def test_a_file_beside_the_classes_is_named(two: Path) -> None:
    (two / "c.png").write_bytes(b"x")
    assert "c.png lies beside the sub-folders" in refusal(two)


def test_an_empty_class_is_named(two: Path) -> None:
    (two / "c").mkdir()
    assert f"{two / 'c'} is empty" in refusal(two)


def test_one_class_is_none(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert "has 1 sub-folders" in refusal(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert "holds no data that can be read" in refusal(tmp_path)


def test_a_link_that_leads_out_is_refused(
    two: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("outside") / "secret.png"
    Image.new("L", (4, 4)).save(secret)
    (two / "b" / "link.png").symlink_to(secret)
    assert "link.png is a link that leads out" in refusal(two)


def test_a_folder_that_is_a_link_out_is_refused(
    two: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    Image.new("L", (4, 4)).save(outside / "secret.png")
    (two / "c").symlink_to(outside)
    assert "secret.png is a link that leads out" in refusal(two)


def test_train_and_test_with_different_classes_are_refused(tmp_path: Path) -> None:
    for half, names in (("train", "xy"), ("test", "xz")):
        for name in names:
            (tmp_path / half / name).mkdir(parents=True)
            Image.new("L", (4, 4)).save(tmp_path / half / name / "i.png")
    assert "classes y, z are in one of train/ and test/ only" in refusal(tmp_path)


def test_train_and_test_of_different_sizes_are_refused(tmp_path: Path) -> None:
    for half, side in (("train", 3), ("test", 4)):
        for name in "ab":
            (tmp_path / half / name).mkdir(parents=True)
            Image.new("L", (side, side)).save(tmp_path / half / name / "i.png")
    assert "pictures of train/ are" in refusal(tmp_path)


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size)
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(65535, 65535), (10_000, 10_000), (5000, 10), (3000, 3000)])
def test_a_picture_that_declares_too_many_pixels_is_refused_undecoded(
    two: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_: object) -> None:
        raise AssertionError("the picture was decoded")

    (two / "b" / "bomb.png").write_bytes(png_header(*size))
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load_prepare", never)
    with pytest.raises(DataError) as caught:
        read_picture(two / "b" / "bomb.png")
    assert "bomb.png" in str(caught.value)
    assert "decoded" not in str(caught.value)


def test_a_text_bomb_in_a_png_is_not_unpacked(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "0" * 100_000_000, zip=True)
    path = tmp_path / "bomb.png"
    Image.new("L", (4, 4)).save(path, pnginfo=info)
    assert path.stat().st_size < 2**20
    assert read_picture(path).info == {}


def test_too_many_pictures_are_refused(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "LARGEST_FOLDER", 5 * 16)
    assert "holds more than" in refusal(two)


def test_a_folder_that_cannot_be_listed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        pictures.entries(tmp_path / "nothing")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_mode_becomes_grey(tmp_path: Path, mode: str) -> None:
    """A white square on black stays one, whatever the mode it is saved in."""
    plain = np.zeros((8, 8), np.uint8)
    plain[2:6, 3:5] = 255
    if mode == "I;16":
        image = Image.fromarray(plain.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(plain).convert(mode)
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    image.save(path, **({"quality": 100} if mode == "CMYK" else {}))
    result = grey(read_picture(path))
    assert result.dtype == np.uint8
    assert np.abs(result.astype(int) - plain).max() <= (4 if mode == "CMYK" else 0)


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (40, 255), (255, 0), (200, 0)])
def test_what_is_transparent_contrasts_with_the_ink(ink: int, paper: int) -> None:
    layers = np.zeros((4, 4, 4), np.uint8)
    layers[1:3, 1:3] = (ink, ink, ink, 255)
    result = grey(Image.fromarray(layers))
    assert result[0, 0] == paper
    assert result[1, 1] == ink


def test_a_palette_with_a_transparent_colour_is_read(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([10, 10, 10, 0, 0, 0] + [0] * 762)
    image.putpixel((1, 1), 0)
    image.save(tmp_path / "a.png", transparency=1)
    result = grey(read_picture(tmp_path / "a.png"))
    assert (result[1, 1], result[0, 0]) == (10, 255)


def test_a_picture_of_floats_is_refused() -> None:
    with pytest.raises(DataError, match="floating-point"):
        grey(Image.new("F", (2, 2)))


def test_a_photo_is_turned_the_right_way_up(tmp_path: Path) -> None:
    image = Image.new("L", (6, 4))
    image.putpixel((0, 0), 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.png", exif=exif)
    assert read_picture(tmp_path / "a.png").size == (4, 6)


def test_pillow_is_asked_for_png_and_jpeg_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    original = Image.open

    def spy(stream: io.BytesIO, formats: list[str]) -> Image.Image:
        asked.append(formats)
        return original(stream, formats=formats)

    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "open", spy)
    read_picture(tmp_path / "a.png")
    assert asked == [["PNG", "JPEG"]]
