"""Hostile model files, checkpoints and settings, made by hand."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
from safetensors.numpy import save

from chainrule.core.tensor_file import _digest
from stress.fuzz import seeds
from stress.fuzz.hostile_data import Hostile
from stress.fuzz.sealed_files import parts

HEADER = "header length is"
LAYOUT = "not a whole safetensors file"


def _file(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, str) else json.dumps(header)
    return struct.pack("<Q", len(text)) + text.encode() + data


def _tensor(begin: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def layouts() -> Hostile:
    """What breaks the rules of safetensors themselves."""
    two = {"a": _tensor(0, 8, [2]), "b": _tensor(4, 12, [2])}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo("data.pkl"), b"")
    deep = '{"__metadata__":{"format":"chainrule-1"},"a":' + "[" * 5000 + "]" * 5000 + "}"
    same = '{"a":' + json.dumps(_tensor(0, 8, [2])) + ',"a":' + json.dumps(_tensor(0, 8, [2])) + "}"
    return {
        "empty": (b"", f"{HEADER} 0"),
        "seven-bytes": (b"\x10\0\0\0\0\0\0", f"{HEADER} 0"),
        "header-of-0": (bytes(8), f"{HEADER} 0"),
        "header-2-to-63": (b"\xff" * 7 + b"\x7f{}", HEADER),
        "header-100-mb": (struct.pack("<Q", 100_000_000) + b"{" + b" " * 900, HEADER),
        "header-beyond-the-file": (struct.pack("<Q", 900) + b"{}", HEADER),
        "header-deep": (_file(deep), "its header is not"),
        "header-is-a-list": (_file("[]"), "its header is not"),
        "header-is-no-json": (_file("{" * 50), "its header is not"),
        "header-long-number": (_file('{"a":' + "9" * 5000 + "}"), "its header is not"),
        "words-are-numbers": (_file({"__metadata__": {"format": 1}}), "metadata are text"),
        "words-are-nothing": (_file({"__metadata__": None}), "its header is not"),
        "surrogate": (_file('{"__metadata__":{"format":"\\ud800"}}'), LAYOUT),
        "overlap": (_file(two, bytes(12)), LAYOUT),
        "hole": (_file({"a": _tensor(0, 8, [2]), "b": _tensor(12, 20, [2])}, bytes(20)), LAYOUT),
        "hole-at-the-start": (_file({"a": _tensor(4, 12, [2])}, bytes(12)), LAYOUT),
        "bytes-behind": (_file({"a": _tensor(0, 8, [2])}, bytes(9)), LAYOUT),
        "too-few-bytes": (_file({"a": _tensor(0, 8, [2])}, bytes(7)), LAYOUT),
        "offsets-backwards": (_file({"a": _tensor(8, 0, [2])}, bytes(8)), LAYOUT),
        "offsets-2-to-64": (_file({"a": _tensor(0, 2**64 - 1, [2])}, bytes(8)), LAYOUT),
        "shape-overflow": (_file({"a": _tensor(0, 8, [2**63, 2, 2])}, bytes(8)), LAYOUT),
        "shape-negative": (_file({"a": _tensor(0, 8, [-2])}, bytes(8)), LAYOUT),
        "shape-of-another-size": (_file({"a": _tensor(0, 8, [3])}, bytes(8)), LAYOUT),
        "same-name-twice": (_file(same, bytes(8)), "its format is None"),
        "unknown-type": (_file({"a": _tensor(0, 8, [2], "O64")}, bytes(8)), LAYOUT),
        "bfloat16": (_file({"a": _tensor(0, 4, [2], "BF16")}, bytes(4)), LAYOUT),
        "4-bit": (_file({"a": _tensor(0, 1, [2], "F4")}, bytes(1)), LAYOUT),
        "pickle": (pickle.dumps({"W": [1.0]}, 4), "a pickle, which can hold code"),
        "pickle-with-code": (b"\x80\x02cos\nsystem\nU\x0aecho owned\x85R.", "a pickle"),
        "zip-archive": (stream.getvalue(), "a zip archive"),
        "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(60), "an HDF5 file"),
        "gguf": (b"GGUF\3\0\0\0" + bytes(60), HEADER),
        "onnx-text": (b"ir_version: 8\nproducer_name: 'x'\n" * 9, HEADER),
        "other-program": (_file({"__metadata__": {"format": "pt"}}), "its format is 'pt'"),
    }


Change = Callable[[dict[str, Any], dict[str, Any]], object]


def _forged(seed: bytes, word: str, change: Change, *, seal: bool = True) -> bytes:
    """A file of ours that `change` has made another, its checksum right unless said otherwise."""
    header = json.loads(parts(seed)[0])
    words = header.pop("__metadata__")
    data = parts(seed)[1]
    tensors = {
        name: np.frombuffer(
            data[slice(*row["data_offsets"])], {"F32": "f4", "F64": "f8", "U8": "u1"}[row["dtype"]]
        ).reshape(row["shape"]).copy()
        for name, row in header.items()
    }  # fmt: skip
    described = word in words  # else it is a tensor of JSON, as a history is
    tree = json.loads(words[word] if described else tensors[word].tobytes())
    instead = change(tree, tensors)
    text = instead if isinstance(instead, str) else json.dumps(tree)
    if described:
        words[word] = text
    else:
        tensors[word] = np.frombuffer(text.encode(), np.uint8)
    if seal:
        words["sha256"] = _digest(tensors, {k: v for k, v in words.items() if k != "sha256"})
    return save(tensors, words)


def committees() -> Hostile:
    """Committees, all of them with a right checksum."""
    seed = seeds.models()[2]
    line = {"layers": [[4, 2, "relu"]], "link": "softmax"}

    def forged(change: Change) -> bytes:
        return _forged(seed, "model", change)

    return {
        "committee-of-nobody": (
            forged(lambda d, t: (d.update(members=[]), t.clear())), "tensors of type []",
        ),
        "committee-of-more": (forged(lambda d, t: d["members"].append(line)), "names and shapes"),
        "committee-of-fewer": (forged(lambda d, t: d["members"].pop()), "names and shapes"),
        "committee-of-900": (
            forged(lambda d, t: d.update(members=[{"layers": []}] * 900)), "0 layers",
        ),
        "committee-of-many-layers": (
            forged(lambda d, t: d.update(members=[{"layers": [[1, 1, "elu"]] * 35}] * 30)),
            "more than 1024 layers together",
        ),
        "committee-of-numbers": (forged(lambda d, t: d.update(members=[1, 2])), "does not hold"),
        "committee-in-a-committee": (
            forged(lambda d, t: d["members"].__setitem__(1, {"members": [line]})), "'layers'",
        ),
        "committee-other-inputs": (
            forged(lambda d, t: (d["members"][1].update(layers=[[3, 2, "relu"]]),
                                 t.update({"1.0.weight": np.zeros((2, 3), "f4")}))),
            "member 2 has inputs 3, member 1 4",
        ),
        "committee-other-classes": (
            forged(lambda d, t: (d["members"][1].update(layers=[[4, 1, "relu"]]),
                                 t.update({"1.0.weight": np.zeros((1, 4), "f4"),
                                           "1.0.bias": np.zeros(1, "f4")}))),
            "member 2 has classes 1, member 1 2",
        ),
        "committee-other-type": (
            forged(lambda d, t: t.update({"1.0.bias": np.zeros(2, "f8")})), "all float32",
        ),
        "committee-nan": (forged(lambda d, t: t["1.0.weight"].fill(np.nan)), "not a finite"),
        "committee-link-with-code": (
            forged(lambda d, t: d["members"][1].update(link="os.system")), "'os.system'",
        ),
        "committee-classes-missing": (
            forged(lambda d, t: d.update(classes=["a"])), "1 class names",
        ),
    }  # fmt: skip


def models() -> Hostile:
    """Model files, most of them with a right checksum."""
    seed = seeds.models()[0]

    def forged(change: Change, *, seal: bool = True) -> bytes:
        return _forged(seed, "model", change, seal=seal)

    wrong = "does not hold"
    return layouts() | committees() | {
        "checksum": (forged(lambda d, t: d.update(link="sigmoid"), seal=False), "checksum"),
        "weight-changed": (
            forged(lambda d, t: t["0.bias"].__setitem__(0, 9), seal=False), "checksum",
        ),
        "nan": (forged(lambda d, t: t["0.weight"].fill(np.nan)), "not a finite number"),
        "infinity": (forged(lambda d, t: t["0.weight"].fill(np.inf)), "not a finite number"),
        "tensor-missing": (forged(lambda d, t: t.pop("2.bias")), "names and shapes"),
        "tensor-more": (forged(lambda d, t: t.update(more=np.zeros(2, "f4"))), "names and shapes"),
        "tensor-turned": (
            forged(lambda d, t: t.update({"0.weight": np.zeros((4, 3), "f4")})), "names and shapes",
        ),
        "other-type": (
            forged(lambda d, t: t.update({"0.bias": np.zeros(3, "f8")})), "all float32",
        ),
        "whole-numbers": (
            forged(lambda d, t: t.update({k: v.astype("i4") for k, v in t.items()})), "all float32",
        ),
        "layer-2-to-80": (
            forged(lambda d, t: d.update(layers=[[2**40, 2**40, "relu"]])), "names and shapes",
        ),
        "layer-negative": (forged(lambda d, t: d.update(layers=[[-4, 3, "relu"]])), wrong),
        "layer-infinite": (forged(lambda d, t: d.update(layers=[[1e999, 3, "relu"]])), wrong),
        "layers-900": (forged(lambda d, t: d.update(layers=[[1, 1, "relu"]] * 900)), wrong),
        "no-layers": (forged(lambda d, t: d.update(layers=[])), "0 layers"),
        "activation-with-code": (
            forged(lambda d, t: d.update(layers=[[4, 3, "os.system"], [3, 2, "relu"]])), wrong,
        ),
        "link-with-code": (forged(lambda d, t: d.update(link="builtins.eval")), wrong),
        "classes-missing": (forged(lambda d, t: d.update(classes=["a"])), "1 class names"),
        "shape-infinite": (forged(lambda d, t: d.update(shape=[1e999, 0])), wrong),
        "scale-nan": (forged(lambda d, t: d.update(pixel_scale=float("nan"))), "scale is nan"),
        "summary-list": (forged(lambda d, t: d.update(summary=[1, 2])), wrong),
        "description-deep": (forged(lambda d, t: "[" * 9000), wrong),
        "description-none": (forged(lambda d, t: "null"), wrong),
        "description-digits": (forged(lambda d, t: '{"layers":' + "9" * 5000 + "}"), wrong),
        "is-a-snapshot": (seeds.snapshots()[0], "its format is 'chainrule-run-1'"),
    }  # fmt: skip


def snapshots() -> Hostile:
    """Runs."""
    seed = seeds.snapshots()[0]

    def forged(word: str, change: Change, *, seal: bool = True) -> bytes:
        return _forged(seed, word, change, seal=seal)

    wrong = "not a valid checkpoint"
    return {
        "checksum": (forged("settings", lambda d, t: d.update(seed=1), seal=False), "checksum"),
        "number-missing": (forged("progress", lambda d, t: d.pop("step")), wrong),
        "number-more": (forged("progress", lambda d, t: d.update(arrays={})), wrong),
        "progress-is-a-list": (forged("progress", lambda d, t: "[]"), wrong),
        "history-is-a-number": (forged("history", lambda d, t: "7"), wrong),
        "settings-are-a-list": (forged("settings", lambda d, t: "[1]"), wrong),
        "numerics-deep": (forged("numerics", lambda d, t: "[" * 9000), wrong),
        "checksums-no-json": (forged("checksums", lambda d, t: "owned"), wrong),
        "cut": (seed[:-1], LAYOUT),
        "pickle": (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "a pickle"),
        "is-a-model": (seeds.models()[0], "its format is 'chainrule-1'"),
    }


def configs() -> Hostile:
    """Settings."""
    long, wrong = "longer than", "not TOML"
    return {
        "nested-arrays": (b"a = " + b"[" * 4000, wrong),
        "nested-tables": (b"a = " + b"{a = " * 1500, wrong),
        "digits": (b"seed = " + b"9" * 5000, wrong),
        "dotted-key": (b"a" + b".a" * 8000 + b" = 1", long),
        "large": (b"# settings\n" * 1000 + b"seed = 1\n", long),
        "one-long-line": (b'draw = "' + b"x" * 15_000 + b'"', long),
        "same-key-twice": (b"seed = 1\nseed = 2\n", wrong),
        "table-over-value": (b"settings = 1\n[settings]\n", wrong),
        "tables-in-tables": (b"[[settings]]\na" + b".a" * 1500 + b" = 1", "is a table"),
        "table-as-setting": (b"[settings]\na" + b".a" * 1500 + b" = 1", "tables in tables"),
        "settings-is-a-number": (b"settings = 3\n", "is a table"),
        "settings-is-a-list": (b"[[settings]]\nseed = 1\n", "is a table"),
        "no-date": (b"a = 1979-99-99\n", wrong),
        "no-value": (b"seed =\n", wrong),
        "surrogate": (b'draw = "\\uD800"\n', wrong),
        "no-utf-8": (b"seed = 1 # \xff\n", wrong),
        "utf-16": ("seed = 1\n".encode("utf-16"), wrong),
        "zero-bytes": (bytes(100), wrong),
        "open-text": (b'draw = """' + b"x" * 500, wrong),
        "pickle": (b"\x80\x02cos\nsystem\nU\x0aecho owned\x85R.", wrong),
        "json": (b'{"seed": 1}', wrong),
        "yaml": (b"!!python/object/apply:os.system ['echo owned']\n", wrong),
    }
