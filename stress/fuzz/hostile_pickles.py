"""Hostile pickles, made by hand: to run code, fill memory, waste time."""

from __future__ import annotations

import gzip
import pickle
import struct

from stress.fuzz.hostile_data import Hostile

COMMAND = b"echo owned"


def _call(module: bytes, name: bytes, protocol: int) -> bytes:
    """A pickle that calls a function with COMMAND, in one of the ways a protocol has."""
    length = bytes([len(COMMAND)])
    if protocol == 0:
        return b"c" + module + b"\n" + name + b"\n(S'" + COMMAND + b"'\ntR."
    if protocol < 4:
        text = (b"U" + length if protocol < 3 else b"X" + length + b"\0\0\0") + COMMAND
        return bytes([0x80, protocol]) + b"c" + module + b"\n" + name + b"\n" + text + b"\x85R."
    names = b"".join(b"\x8c" + bytes([len(part)]) + part for part in (module, name, COMMAND))
    head, last = names[: -2 - len(COMMAND)], names[-2 - len(COMMAND) :]
    return bytes([0x80, protocol]) + head + b"\x93" + last + b"\x85R."


def _text(content: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(content)) + content


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _calls() -> Hostile:
    found: Hostile = {}
    for protocol in range(1, 6):
        for module, name in ((b"os", b"system"), (b"builtins", b"eval")):
            words = f"the name {module.decode()}.{name.decode()}"
            found[f"{name.decode()}-{protocol}"] = (_call(module, name, protocol), words)
    others = (
        *((b"subprocess", b"call"), (b"posix", b"system"), (b"builtins", b"exec")),
        *((b"numpy.testing._private.utils", b"runstring"), (b"numpy", b"load")),
        *((b"numpy.distutils.exec_command", b"exec_command"), (b"socket", b"create_connection")),
        *((b"importlib", b"import_module"), (b"webbrowser", b"open"), (b"pickle", b"loads")),
    )
    for module, name in others:
        words = f"the name {module.decode()}.{name.decode()}"
        found[f"{name.decode()}-{module.decode().split('.')[0]}"] = (_call(module, name, 2), words)
    return found


def _memory() -> Hostile:
    """Small pickles that would fill the memory or take an hour."""
    array = b"cnumpy.core.multiarray\n_reconstruct\n"
    encode = b"c_codecs\nencode\nq\0"
    nested = b"]q\0" + b"".join(b"h%c\x86q%c" % (i, i + 1) for i in range(60))
    labels = b"]q\0(" + b"K\1" * 90_000 + b"e"
    again = b"h\0h\1h\2\x86R" * 20_000
    return {
        "memo-9-bytes": (b"\x80\x02Nr" + struct.pack("<I", 40_000_000) + b".", "memo entry"),
        "memo-put": (b"\x80\x02Np99999999\n.", "memo entry"),
        "memo-get": (b"\x80\x02j\xff\xff\xff\x7f.", "memo entry"),
        "reconstruct-2-gib": (
            b"\x80\x02" + array + b"(cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85U\1btR.",
            "does not hold pairs",
        ),
        "frombuffer-huge": (
            b"\x80\x02(cnumpy.core.numeric\n_frombuffer\n(U\1acnumpy\ndtype\nU\2u1\x85R"
            b"J\xff\xff\xff\x7fU\1CtRNt.",
            "with 1 bytes",
        ),
        "same-pair-3000-times": (
            _packed(b"\x80\x02](" + labels + b"h\0\x86q\1" + b"h\1" * 3000 + b"e."),
            "3,001 pairs",
        ),
        "same-text-20000-times": (
            _packed(
                b"\x80\x02]("
                + encode
                + _text(b"a" * 800_000)
                + b"q\1"
                + _text(b"latin1")
                + b"q\2"
                + again
                + b"e."
            ),
            "again and again",
        ),
        "text-of-lists-in-lists": (
            b"\x80\x02](" + encode + _text(b"a") + nested + b"\x86Re.",
            "bytes in the encoding that is a <class 'tuple'>",
        ),
        "type-of-lists-in-lists": (
            b"\x80\x02](cnumpy\ndtype\n" + nested + b"\x85Re.",
            "an array of type that is a <class 'tuple'>",
        ),
        "bytes-as-labels": (
            _packed(b"\x80\x03](B" + struct.pack("<I", 900_000) + b"a" * 900_000 + b"q\0h\0\x86e."),
            "labels that are neither",
        ),
        "million-operations": (_packed(b"\x80\x02(" + b"N" * 900_000 + b"t."), "operations"),
        "deep-tuples": (_packed(b"\x80\x02N" + b"\x85" * 90_000 + b"."), "does not hold pairs"),
        "length-beyond": (b"\x80\x02T\xff\xff\xff\x7fabc.", "not a whole pickle"),
        "length-8-bytes": (b"\x80\x05\x96" + b"\xff" * 7 + b"\x7f.", "not a whole pickle"),
        "long-4-gib": (b"\x80\x02\x8b\xff\xff\xff\x7f.", "not a whole pickle"),
        "digits": (b"\x80\x02I" + b"9" * 9000 + b"\n.", "not a whole pickle"),
    }


def pickles() -> Hostile:
    """All of them."""
    operations = {
        "ext1": (b"\x80\x02\x82\x01.", "the operation EXT1"),
        "ext2": (b"\x80\x02\x83\x01\0.", "the operation EXT2"),
        "ext4": (b"\x80\x02\x84\x01\0\0\0.", "the operation EXT4"),
        "inst": (b"(S'echo owned'\nios\nsystem\n.", "the operation"),
        "obj": (b"(cos\nsystem\nS'echo owned'\no.", "the name os.system"),
        "newobj": (b"\x80\x02cnumpy\nndarray\n)\x81.", "the operation NEWOBJ"),
        "newobj-ex": (b"\x80\x04cnumpy\nndarray\n)}\x92.", "the operation"),
        "persistent": (b"\x80\x02Pname\n.", "the operation PERSID"),
        "persistent-binary": (b"\x80\x02NQ.", "the operation BINPERSID"),
        "dictionary": (pickle.dumps({"a": 1}, 2), "the operation EMPTY_DICT"),
        "set": (pickle.dumps({1, 2}, 4), "the operation EMPTY_SET"),
        "buffer": (b"\x80\x05\x97.", "the operation NEXT_BUFFER"),
        "frame-ends-in-an-operation": (
            b"\x80\x04\x95\x03" + bytes(7) + b"U\x0c" + b"(" * 4 + b"r\xff\xff\xff\x05...N.",
            "one of its frames ends too early",
        ),
        "frame-in-a-frame": (
            b"\x80\x04\x95\x20" + bytes(7) + b"\x95\x01" + bytes(7) + b"N" * 30 + b".",
            "one of its frames ends too early",
        ),
        "frame-alone": (b"\x80\x04\x95" + b"\xff" * 8, "not a whole pickle"),
        "unknown-operation": (b"\x80\x02\xff.", "not a whole pickle"),
        "protocol-255": (b"\x80\xffN.", "does not hold pairs"),
        "two-pickles": (b"\x80\x02N." + _call(b"os", b"system", 2), "extra bytes"),
        "no-stop": (b"\x80\x02N", "not a whole pickle"),
        "stop-alone": (b"\x80\x02.", "does not hold pairs"),
        "state-on-a-class": (b"\x80\x02cnumpy\nndarray\nK\1b.", "does not hold pairs"),
        "state-on-a-function": (
            b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nN\x88\x86b.",
            "does not hold pairs",
        ),
        "name-in-utf-7": (b"\x80\x02cnumpy\n+AG4-darray\n.", "the name numpy.+AG4-darray"),
        "name-with-dots": (b"\x80\x04\x8c\5numpy\x8c\x0cndarray.dump\x93.", "ndarray.dump"),
        "object-type": (b"\x80\x02cnumpy\ndtype\nU\2O8\x85R.", "an array of type"),
        "hexadecimal": (
            b"\x80\x02c_codecs\nencode\nX\1\0\0\0aX\3\0\0\0hex\x86R.",
            "bytes in the encoding",
        ),
    }
    packed = {
        "gzipped-system": (_packed(_call(b"os", b"system", 2)), "the name os.system"),
        "gzipped-twice": (_packed(_packed(_call(b"os", b"system", 2))), "none of IDX"),
    }
    return _calls() | _memory() | operations | packed
