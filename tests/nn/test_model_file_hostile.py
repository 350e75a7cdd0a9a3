"""No damaged and no forged model file is believed; each is refused by the rule it breaks."""

from __future__ import annotations

import io
import json
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import chainrule.core.tensor_file
from chainrule.core.arrays import Array
from chainrule.core.errors import ModelFileError
from chainrule.nn.model_file import FORMAT, FORMATS, load_model, save
from chainrule.nn.network import Network
from helpers.damage import believed_flips

Description = dict[str, Any]
Tensors = dict[str, Array]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a good and very small model file."""
    network = Network.dense([2, 1], rng=np.random.default_rng(0))
    return save(network, tmp_path_factory.mktemp("model") / "whole").read_bytes()


def refused(path: Path, content: bytes) -> str:
    """Why the content is not believed."""
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


def test_every_flip_of_one_bit_is_noticed(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "model"
    path.write_bytes(whole)
    assert not believed_flips(path, load_model)


def test_every_truncation_is_noticed(tmp_path: Path, whole: bytes) -> None:
    for length in range(len(whole)):
        refused(tmp_path / "model", whole[:length])


@pytest.mark.parametrize("extra", [b"\0", b"\0" * 8, b"{}"])
def test_bytes_behind_the_end_are_noticed(tmp_path: Path, whole: bytes, extra: bytes) -> None:
    assert "not a whole safetensors file" in refused(tmp_path / "model", whole + extra)


def header(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def zip_archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("data.pkl", b"")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a safetensors file, its header length is 0"),
        (b"\x10", "not a safetensors file, its header length is 0"),
        (pickle.dumps({"W": [1.0]}), "a pickle, which can hold code; only safetensors are read"),
        (zip_archive(), "a zip archive, which can hold code"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 64, "an HDF5 file, which can hold code"),
        (struct.pack("<Q", 1 << 62) + b"{}", "its header length is 4,611,686,018,427,387,904"),
        (struct.pack("<Q", 2 << 20) + b" " * (3 << 20), "its header length is 2,097,152"),
        (header("[]"), "its header is not what safetensors have"),
        (header("nonsense"), "its header is not what safetensors have"),
        (header("[" * 100_000), "its header is not what safetensors have"),
        (header('{"__metadata__": null}'), "its header is not what safetensors have"),
        (header('{"__metadata__": {"format": 1}}'), "metadata are text"),
        (
            header("{}"),
            f"its format is None, this program reads {', '.join(map(repr, FORMATS))};",
        ),
        (header('{"__metadata__": {"format": "pt"}}'), "its format is 'pt'"),
        (
            header('{"0.bias": {"dtype": "F32", "shape": [9999999999], "data_offsets": [0, 8]}}'),
            "not a whole safetensors file",
        ),
        (
            header('{"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}') + b"\0\0",
            "",
        ),
        (header('{"__metadata__": {"format": "chainrule-1"}}'), "the checksum does not hold"),
    ],
)
def test_what_is_no_model_of_ours_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    assert message in refused(tmp_path / "model", content)


def forged(change: Callable[[Description, Tensors], Any]) -> bytes:
    """A file whose checksum is right and whose contents are what `change` makes of them."""
    rng = np.random.default_rng(0)
    tensors = {
        "0.weight": rng.normal(size=(3, 4)),
        "0.bias": np.zeros(3),
        "2.weight": rng.normal(size=(2, 3)),
        "2.bias": np.zeros(2),
    }
    description = {
        "layers": [[4, 3, "relu"], [3, 2, "identity"]],
        "link": "softmax",
        "classes": ["no", "yes"],
        "shape": [2, 2],
        "pixel_scale": 1.0,
        "summary": {},
    }
    instead = change(description, tensors)
    text = instead if isinstance(instead, str) else json.dumps(description)
    metadata = {"format": FORMAT, "model": text}
    metadata["sha256"] = chainrule.core.tensor_file._digest(tensors, metadata)
    return safetensors.numpy.save(tensors, metadata)


def test_the_forgery_without_a_change_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(forged(lambda d, t: None))
    assert load_model(path).classes == ("no", "yes")


def test_a_right_description_with_an_old_checksum_is_refused(tmp_path: Path) -> None:
    content = forged(lambda d, t: None).replace(b'\\"yes\\"', b'\\"not\\"')
    assert "the checksum does not hold, the file was changed" in refused(tmp_path / "m", content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, t: t.update({"0.weight": np.zeros((4, 3))}), "names and shapes of the tensors"),
        (lambda d, t: t.update({"4.bias": np.zeros(2)}), "names and shapes of the tensors"),
        (lambda d, t: t.pop("2.bias"), "names and shapes of the tensors"),
        (lambda d, t: t.update({"0.bias": np.zeros(3, "f4")}), "all float32 or all float64"),
        (lambda d, t: t.update({k: v.astype("f2") for k, v in t.items()}), "type ['float16']"),
        (lambda d, t: t.update({k: v.astype("i4") for k, v in t.items()}), "type ['int32']"),
        (lambda d, t: t.update({"0.bias": np.array([0, np.nan, 0])}), "not a finite number"),
        (lambda d, t: t.update({"0.bias": np.array([0, np.inf, 0])}), "not a finite number"),
        (lambda d, t: d.update(layers=[[4, 3, "eval"], [3, 2, "relu"]]), "activation 'eval'"),
        (lambda d, t: d.update(layers=[[4, 3, "relu"], [9, 2, "relu"]]), "names and shapes"),
        (lambda d, t: d.update(layers=[[1 << 40, 1 << 40, "relu"]]), "names and shapes"),
        (lambda d, t: d.update(layers=[[-4, 3, "relu"]]), "at least one input and one unit"),
        (lambda d, t: d.update(layers=[[float("inf"), 3, "relu"]]), "does not hold"),
        (lambda d, t: d.update(layers=[[1, 1, "relu"]] * 1025), "1025 layers"),
        (lambda d, t: d.update(layers=[]), "0 layers; a network has 1 to"),
        (lambda d, t: d.update(layers=7), "does not hold"),
        (lambda d, t: d.update(layers=[[4, 3]]), "does not hold"),
        (lambda d, t: d.pop("layers"), "'layers'"),
        (lambda d, t: d.update(link="os.system"), "unknown link 'os.system'"),
        (lambda d, t: d.update(link=["softmax"]), "does not hold"),
        (lambda d, t: d.update(classes=["a"]), "1 class names for 2 outputs"),
        (lambda d, t: d.update(classes=None), "does not hold"),
        (lambda d, t: d.update(shape=[28, 28]), "images of 28 x 28 for 4 -> 3 relu"),
        (lambda d, t: d.update(shape=[-2, -2]), "images of -2 x -2"),
        (lambda d, t: d.update(shape=[0, 5]), "images of 0 x 5"),
        (lambda d, t: d.update(shape=[float("inf"), 0]), "does not hold"),
        (lambda d, t: d.update(shape=[4]), "does not hold"),
        (lambda d, t: d.update(pixel_scale=float("nan")), "pixel_scale is nan"),
        (lambda d, t: d.update(pixel_scale="a lot"), "does not hold"),
        (lambda d, t: d.update(summary=[1, 2]), "does not hold"),
        (lambda d, t: "[]", "does not hold"),
        (lambda d, t: "no json", "does not hold"),
        (lambda d, t: "[" * 100_000, "does not hold"),
    ],
)
def test_a_forged_file_with_a_right_checksum_is_still_refused(
    tmp_path: Path, change: Callable[[Description, Tensors], Any], message: str
) -> None:
    assert message in refused(tmp_path / "model", forged(change))


AUDITED = """
import sys
from pathlib import Path
import chainrule.nn.model_file as checkpoint
from chainrule.nn.dense import Dense
from chainrule.nn.network import Network

folder = Path(sys.argv[1])
checkpoint.load_model(checkpoint.save(Network([Dense(2, 2)]), folder / "good"))
events, watching = [], False
HARMLESS = {"os.stat", "os.fspath", "sys._getframe", "object.__getattr__", "builtins.id"}

def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], int):
        return  # a file around a descriptor whose opening was seen before
    if watching and event not in HARMLESS:
        events.append((event, str(arguments[0]) if arguments else ""))

sys.addaudithook(hook)
for path in sorted(folder.glob("hostile*")):
    watching, refused = True, False
    try:
        checkpoint.load_model(path)
    except checkpoint.ModelFileError:
        refused = True
    watching = False
    assert refused, path
    allowed = [("open", str(path))]
    assert [e for e in events if e not in allowed] == [], (path, events)
    assert len(events) <= 1, events
    events.clear()
print("all refused")
"""


class Mischief:
    """Unpickled, it would run a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('the pickle ran')",)


def test_a_hostile_file_opens_imports_and_runs_nothing(tmp_path: Path, whole: bytes) -> None:
    hostile = [
        pickle.dumps(Mischief()),
        pickle.dumps(Mischief(), protocol=0),
        zip_archive(),
        whole[:-1],
        whole[:-1] + b"\xff",
        header("[" * 100_000),
        forged(lambda d, t: d.update(layers=[[4, 3, "os.system"]])),
        forged(lambda d, t: d.update(classes=["/etc/passwd"])),
    ]
    for number, content in enumerate(hostile):
        (tmp_path / f"hostile{number}").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", AUDITED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(Path(chainrule.nn.model_file.__file__).parents[2])},
    )
    assert done.stdout.strip() == "all refused", done.stderr
