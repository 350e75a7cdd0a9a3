"""No file, however hostile, may make its reader import, execute, open or connect to anything."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from chainrule.data import formats
from chainrule.data.dataset import Found

READER = """
import json, os, sys, warnings
warnings.simplefilter("error")
from pathlib import Path
from chainrule.data.dataset import DataError
from chainrule.data.formats import read

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
        env={**os.environ, "PYTHONPATH": str(Path(formats.__file__).parents[2])},
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
