"""No file, however hostile, may make its reader import, execute, open or connect to anything."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.core.errors import ConfigError, DataError
from chainrule.data.dataset import Found
from chainrule.data.readers import formats, pickles
from chainrule.data.readers.archives import read_npz
from chainrule.data.readers.idx import IMAGES
from chainrule.data.readers.images import grey, read_picture
from chainrule.data.readers.tabular import read_csv
from chainrule.digits.preprocess import read_image
from chainrule.experiments.settings import read_toml

READER = """
import json, os, sys, warnings
warnings.simplefilter("error")
from pathlib import Path
from chainrule.core.errors import DataError
from chainrule.data.readers.formats import read

good, hostile = (sorted(Path(folder).iterdir()) for folder in sys.argv[1:3])
WATCHED = ("import", "exec", "open", "os.", "subprocess.", "socket.", "pickle.", "shutil.")
HARMLESS = ("os.listdir", "os.scandir")
watching, current, events, results = False, None, [], {}

def hook(event, arguments):
    if not watching or not event.startswith(WATCHED) or event in HARMLESS:
        return
    if event == "open" and Path(str(arguments[0])).is_relative_to(current):
        if not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
    events.append(f"{current.name}: {event} {arguments!r}"[:200])

def attempt(path):
    try:
        read(path)
    except DataError as error:
        return "refused" if "\\n" not in str(error) else "refused in several lines"
    return "read"

# Once without watching: Python and NumPy import some of their own modules at first use.
for path in good + hostile:
    attempt(path)
sys.addaudithook(hook)
for path in hostile:
    current, watching = path, True
    outcome = attempt(path)
    watching = False
    results[path.name] = outcome
current, watching = hostile[0], True
import colorsys
open(sys.argv[0] if Path(sys.argv[0]).is_file() else "/dev/null").close()
watching = False
print(json.dumps({"events": events, "results": results}))
"""


def hostile_files(folder: Path, pickles: dict[str, bytes]) -> None:
    folder.mkdir()
    for index, data in enumerate(pickles.values()):
        (folder / f"pickle-{index}").write_bytes(data)
        (folder / f"pickle-{index}.gz").write_bytes(gzip.compress(data))
    objects = io.BytesIO()
    np.lib.format.write_array(objects, np.array([{"a": 1}], object), allow_pickle=True)
    header = b"{'descr': __import__('os').system('x'), 'fortran_order': False, 'shape': ()}"
    code = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    for name, data in (("objects", objects.getvalue()), ("code", code)):
        with zipfile.ZipFile(folder / f"{name}.npz", "w") as archive:
            for member in ("x_train", "y_train", "x_test", "y_test", "../../owned"):
                archive.writestr(f"{member}.npy", data)
    (folder / "link.idx").write_bytes(struct.pack(">IIII", 0x803, 2**31, 2**31, 2**31))
    (folder / "formula.csv").write_text("label,a,b\n=cmd|' /C calc'!A0,1,2\n")
    (folder / "bomb.csv.gz").write_bytes(gzip.compress(b"0," * 10_000_000))
    (folder / "attributes.arff").write_text("@RELATION x\n@DATA\n__import__('os'),1\n")
    (folder / "script.py").write_text("import os\nos.system('touch owned')\n")
    for name in "ab":
        (folder / "pictures" / name).mkdir(parents=True)
        Image.new("L", (4, 4)).save(folder / "pictures" / name / "1.png")
    (folder / "pictures" / "b" / "2.png").write_bytes(b"%!PS\n(owned) (w) file\n")


def good_files(folder: Path, sample: Found) -> None:
    folder.mkdir()
    np.savez_compressed(
        folder / "a.npz",
        x_train=sample.train.images,
        y_train=sample.train.labels,
        x_test=sample.test.images,
        y_test=sample.test.labels,
    )
    (folder / "a.csv").write_text("1,2,3\n" * 20)


def test_no_hostile_file_makes_its_reader_do_anything(
    tmp_path: Path, sample: Found, hostile_pickles: dict[str, bytes]
) -> None:
    good_files(tmp_path / "good", sample)
    hostile_files(tmp_path / "hostile", hostile_pickles)
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", READER, str(tmp_path / "good"), str(tmp_path / "hostile")],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(Path(formats.__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stderr == ""
    answer = json.loads(done.stdout)
    assert set(answer["results"].values()) == {"refused"}
    assert len(answer["results"]) == 2 * len(hostile_pickles) + 8
    # The last two events are the test's own: they show that the hook sees an import and an open.
    *seen, opened = (event.split(": ", 1)[1] for event in answer["events"])
    assert [event for event in seen if "colorsys" not in event] == []
    assert any(event.startswith("import") for event in seen)
    assert opened.startswith("open")
    assert list(work.iterdir()) == []


def jpeg(side: int, *, scans: int = 0, behind: bytes = b"") -> bytes:
    """A grey JPEG, progressive if scans are to be added to it."""
    stream = io.BytesIO()
    Image.new("L", (side, side), 77).save(stream, "JPEG", progressive=bool(scans), quality=10)
    data = stream.getvalue()
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * scans + data[-2:] + behind


@pytest.mark.parametrize(("side", "scans"), [(64, 40), (64, 4000), (5000, 9)])
def test_scans_that_take_longer_than_pixels_are_refused(
    tmp_path: Path, side: int, scans: int
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(side, scans=scans))
    with pytest.raises(DataError, match="scans, which takes too long"):
        read_picture(path, side=16_384, pixels=2**26)


def test_a_film_behind_a_photo_has_no_scans(tmp_path: Path) -> None:
    """Telephones put one there; by chance it holds the bytes of a marker now and then."""
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(64, behind=b"\0\2\xff\xda" * 1000))
    assert read_picture(path).size == (64, 64)


def test_a_photo_of_many_pixels_is_averaged_down_and_turned(tmp_path: Path) -> None:
    image = Image.new("RGBA", (3000, 2000), (255, 255, 255, 255))
    image.paste((0, 0, 0, 255), (0, 0, 300, 300))
    exif = Image.Exif()
    exif[0x112] = 3
    image.save(tmp_path / "a.png", exif=exif)
    small = read_picture(tmp_path / "a.png", side=16_384, pixels=2**26)
    assert small.size == (1500, 1000)
    assert [small.getpixel(place)[0] for place in ((10, 10), (1490, 990))] == [255, 0]
    for mode in ("1", "P", "I;16", "LA"):
        image.convert("L").convert(mode).save(tmp_path / "b.png")
        assert read_picture(tmp_path / "b.png", side=16_384, pixels=2**26).size == (1500, 1000)


def test_a_png_of_more_pixels_than_can_be_averaged_in_time_is_refused(tmp_path: Path) -> None:
    Image.new("1", (5000, 5000)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="5000x5000, and at most 16384 a side and 16,777,216"):
        read_image(tmp_path / "a.png")


def test_what_a_gzip_file_holds_has_the_cap_of_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that of the largest kind, once it has all been inflated."""
    monkeypatch.setattr(formats, "LARGEST_PICKLE", 500_000)
    monkeypatch.setattr(formats, "LARGEST_IDX", 400_000)
    monkeypatch.setattr(formats, "LARGEST_NPZ", 300_000)
    noise = os.urandom(2**20)
    for start, cap in ((b"\x80\x02", "500,000"), (IMAGES, "400,000"), (b"PK\3\4", "300,000")):
        for packed in (False, True):
            data = gzip.compress(start + noise, 1) if packed else start + noise
            (tmp_path / "a").write_bytes(data)
            with pytest.raises(DataError, match=f"beyond {cap}" if packed else f"at most {cap}"):
                formats.read(tmp_path / "a")


def test_a_gigabyte_in_one_line_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.write(b"1" * 100_000)
        file.truncate(2**30)
    tracemalloc.start()
    with pytest.raises(DataError, match="row 1: longer than 65,536 bytes"):
        formats.read(path)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def test_blanks_around_numbers_change_nothing() -> None:
    rows = b"3,0,17,255,4\n7,1,2,3,4\n"
    blank = rows.replace(b",", b" , ").replace(b"\n", b" \n ")
    for data in (blank, blank.replace(b" ", b"   "), blank.replace(b" ", b"\t")):
        part = read_csv(data.rstrip(), "a", classes=10)
        np.testing.assert_array_equal(part.images, read_csv(rows, "a", classes=10).images)


@pytest.mark.parametrize(
    "field", [b"1" * 60_000 + b"x", b"." + b"1" * 60_000 + b"x", b"1" * 60_000]
)
def test_a_field_of_digits_is_refused_at_once(field: bytes) -> None:
    """`\\d+\\.?\\d*` tried every place to divide them: a minute for 60 kB."""
    started = time.process_time()
    for data in (b"3,0," + field + b",255,4\n", field + b",0,17,255,4\n3,0,17,255,4\n"):
        with pytest.raises(DataError):
            read_csv(data, "a", classes=10)
    assert time.process_time() - started < 1


def test_settings_are_read_from_small_ordinary_files_only(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="not an ordinary file"):
        read_toml(tmp_path / "pipe")
    for path in ("nowhere", "null\0byte", "x" * 5000):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_toml(tmp_path / path)
    (tmp_path / "large").write_bytes(b"#" * 8193)
    with pytest.raises(ConfigError, match="longer than 8,192 bytes"):
        read_toml(tmp_path / "large")
    (tmp_path / "right").write_bytes(b"seed = 1\n" + b"#" * 8183)
    assert read_toml(tmp_path / "right") == {"seed": 1}


def test_an_npz_lists_few_members_and_ends_with_its_end(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(6000):
            archive.writestr(str(number), b"")
    with pytest.raises(DataError, match="its list of members has"):
        read_npz(stream.getvalue(), "a")


def test_an_npz_that_inflates_too_far_is_refused_before_it_does() -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, x_train=np.zeros(2**25, np.uint8))
    tracemalloc.start()
    with pytest.raises(DataError, match="zip bomb"):
        read_npz(stream.getvalue(), "a")
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("length", range(30))
def test_a_frame_never_makes_the_unpickler_read_other_operations_than_were_looked_at(
    length: int,
) -> None:
    """Where a frame ends within an operation, the Unpickler drops bytes that pickletools counts."""
    body = b"U\x0c" + b"(" * 12 + b"K\x01K\x02\x86q\x00."
    data = b"\x80\x04\x95" + struct.pack("<Q", length) + body
    try:
        pickles.scan(data, "a")
    except DataError:
        assert length not in (0, 14, 16, 18, 19, 21, 22)
        return
    with contextlib.suppress(pickle.UnpicklingError):  # a frame that the data do not fill
        assert pickles._Unpickler(data).load() == (1, 2)


def test_a_transparency_that_does_not_fit_the_colours_is_refused() -> None:
    image = Image.new("RGB", (4, 4))
    image.info["transparency"] = b"as a palette has it"
    with pytest.raises(DataError, match="transparency does not fit its colours"):
        grey(image)
