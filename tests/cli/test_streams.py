"""Output: what strangers named is printed escaped, and a stream may be lost on the way."""

from __future__ import annotations

import errno
import io
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.cli.streams import Escaping, Lasting, escaped, install, styled
from chainrule.nn.model_file import Model, save
from chainrule.nn.network import Network

HOSTILE = (
    "\x1b]52;c;cm0gLXJmIH4K\x07",  # sets the clipboard
    "\x1b]0;title\x1b\\",
    "\x1b[2J\x1b[1;1H",
    "\x9b2J",  # the same in one control character beyond ASCII
    "fine\r\nerror: a line of a stranger",
    "\x08\x08\x08",
    "\x7f",
    "\u202egnp.exe",  # turns the text around
    "\u200bnothing to see",
    "\u2028another line",
    "\udcff",  # a byte that is no text
    "\x00\x0e",
)
HARMLESS = ("", "7", "café", "漢字", "😀", "a b", "a\u202fb", "C:\\new\\table", "$5 & <b>")


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_commands_a_terminal_is_left(text: str) -> None:
    assert escaped(text).isprintable()
    assert "\\" in escaped(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_text_for_people_stays_as_it_is(text: str) -> None:
    assert escaped(text) == text


def test_every_character_of_unicode_is_printable_or_escaped() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    left = {one for one in escaped(every) if not one.isprintable()}
    assert all(ord(one) > 0xFF or one == "\xa0" for one in left)
    assert all(escaped(one) == one and not one.strip() for one in left), "spaces of other widths"


def named_by_a_stranger(folder: Path, text: str) -> None:
    """A model file and a folder of pictures whose names are of a stranger's choice."""
    network = Network.dense([784, 10], activation="relu", rng=np.random.default_rng(0))
    save(Model(network, (*"012345678", text), (28, 28)), folder / "evil.safetensors")
    pixels = np.full((60, 60), 255, np.uint8)
    pixels[10:50, 28:33] = 0
    Image.fromarray(pixels).save(folder / "one.png")
    two = np.full((60, 120), 255, np.uint8)
    two[10:50, 28:33] = two[10:50, 88:93] = 0
    Image.fromarray(two).save(folder / "two.png")
    classes = folder / "evil"
    for name in ("a", text.replace("\x00", "") or "b"):
        (classes / name).mkdir(parents=True)
        for seed in range(9):
            rng = np.random.default_rng(seed)
            image = rng.integers(0, 255, (8, 8), dtype=np.uint8)
            Image.fromarray(image).save(classes / name / f"{seed}.png")
    if "\x00" not in text:
        (folder / f"{text}.png").write_bytes(b"x")


COMMANDS = (
    "predict evil.safetensors one.png",
    "predict evil.safetensors two.png",
    "predict evil.safetensors two.png one.png --json",
    "predict evil.safetensors one.png {}.png",
    "predict evil.safetensors {}",
    "predict {}",
    "evaluate {}",
    "report {}",
    "train --data evil --layers 64,4,2 --epochs 1 --run a --no-pictures",
    "evaluate a",
    "evaluate a --json",
    "compare a a",
    "train --data {}",
    "train --config {}",
    "train --{}",
    "{}",
)


@pytest.mark.parametrize("text", [HOSTILE[0], HOSTILE[3], HOSTILE[4], HOSTILE[7]])
def test_no_command_passes_on_what_a_stranger_named(text: str, tmp_path: Path, chainrule) -> None:
    try:
        named_by_a_stranger(tmp_path, text)
    except (OSError, ValueError) as error:
        pytest.skip(f"no such name can be made here: {error}")
    for command in COMMANDS:
        result = chainrule(*(word.replace("{}", text) for word in command.split()))
        assert result.code in (0, 1, 2), command
        printed = result.out + result.err
        assert "Traceback" not in printed, command
        odd = {one for one in printed if not one.isprintable()} - {"\n", "\t"}
        assert not odd, f"{command} printed {odd}"
        assert "\nerror: a line of a stranger" not in printed, command


class Gone(io.StringIO):
    """A stream whose other end has gone."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.asked = 0

    def write(self, text: str) -> int:
        self.asked += 1
        raise OSError(self.number, os.strerror(self.number))

    def flush(self) -> None:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF])
@pytest.mark.parametrize("kind", [Lasting, Escaping])
def test_a_stream_that_is_gone_takes_everything(kind: type[Lasting], number: int) -> None:
    stream = kind(Gone(number))
    assert stream.write("text") == 4
    stream.flush()
    assert stream.lost
    assert stream.lost.errno == number


def test_a_stream_that_never_was_takes_everything() -> None:
    stream = Escaping(None)
    assert stream.write("text") == 4
    stream.flush()
    assert not stream.isatty()
    with pytest.raises(io.UnsupportedOperation):
        stream.fileno()


def test_streams_are_wrapped_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert install() is install()


def test_a_library_that_styles_text_gets_the_stream_itself() -> None:
    below = io.StringIO()
    styled(Escaping(below)).write("\x1b[1m")
    assert below.getvalue() == "\x1b[1m"


def test_what_the_encoding_lacks_is_escaped() -> None:
    below = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    stream = Escaping(below)
    stream.write("café")
    stream.flush()
    assert below.buffer.getvalue() == b"caf\\xe9"  # type: ignore[attr-defined]


class Pipe:
    """A pipe that is full, and its reader."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.writer, False)
        self.filled = 0
        with suppress(BlockingIOError):
            while True:
                self.filled += os.write(self.writer, bytes(1024))
        os.set_blocking(self.writer, True)
        os.set_blocking(self.reader, False)

    def read(self) -> str:
        """Everything that is there."""
        parts = []
        with suppress(BlockingIOError):
            while part := os.read(self.reader, 65536):
                parts.append(part)
        return b"".join(parts).replace(b"\0", b"").decode()


@pytest.fixture
def full() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    os.close(pipe.reader)
    os.close(pipe.writer)


needs_poll = pytest.mark.skipif(not hasattr(select, "poll"), reason="needs poll, not on Windows")


@needs_poll
def test_lines_that_nobody_reads_are_left_out_and_counted(full: Pipe) -> None:
    with open(full.writer, "w", closefd=False) as below:
        stream = Lasting(below, patience=0.01)
        print("one", file=stream, flush=True)
        print("two", "three", sep="\n", file=stream)
        assert stream.left_out == 3
        assert full.read() == ""
        stream.write("fo")
        stream.write("ur\n")
        assert full.read() == "... 3 lines left out\nfour\n"
        print("five", end="", file=stream, flush=True)
        assert full.read() == "five"
        assert stream.lost is None


@needs_poll
def test_what_was_left_out_last_is_said_at_the_end(full: Pipe) -> None:
    with open(full.writer, "w", closefd=False) as below:
        stream = Escaping(below, patience=0.01)
        print("one", file=stream)
        full.read()
        stream.flush()
        assert full.read() == "... 1 line left out\n"


@needs_poll
def test_long_texts_are_written_as_far_as_there_is_room(full: Pipe) -> None:
    full.read()
    with open(full.writer, "w", encoding="ascii", closefd=False) as below:
        stream = Lasting(below, patience=0.01)
        lines = "".join(f"{number} \U0001f600\n" for number in range(20_000))
        stream.write(lines)
        seen = full.read()
        assert lines.encode("ascii", "backslashreplace").decode().startswith(seen)
        assert seen.count("\n") + stream.left_out in (20_000, 20_001)


@needs_poll
def test_training_waits_for_no_reader_of_its_log(few: Path, tmp_path: Path, full: Pipe) -> None:
    """A program that starts another and reads its log only at the end, if at all."""
    command = [sys.executable, "-m", "chainrule", "train", "--data", str(few), *TRAIN]
    done = subprocess.run(
        command, cwd=tmp_path, stderr=full.writer, stdout=subprocess.PIPE, timeout=60, check=True
    )
    assert b"test images right" in done.stdout
    assert (tmp_path / "runs/r/history.jsonl").read_text().count("\n") == 4
    assert full.read() == ""


TRAIN = ("--layers", "784,8,10", "--epochs", "4", "--no-pictures", "--run", "r")
SH = "exec {python} -m chainrule {arguments} {streams}"


def shell(arguments: tuple[str, ...], streams: str, folder: Path) -> subprocess.CompletedProcess:
    line = SH.format(python=sys.executable, arguments=" ".join(arguments), streams=streams)
    return subprocess.run(
        ["sh", "-c", line], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("streams", ["2>/dev/full", "2>&-", "0<&- 1>&- 2>&-"])
def test_training_goes_on_without_its_log(few: Path, tmp_path: Path, streams: str) -> None:
    done = shell(("train", "--data", str(few), *TRAIN), streams, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/r/report.json").is_file()
    assert (tmp_path / "runs/r/history.jsonl").read_text().count("\n") == 4


def test_training_goes_on_when_the_reader_of_its_log_leaves(few: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "chainrule", "train", "--data", str(few), *TRAIN],
        cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stderr
    assert process.stderr.readline()
    process.stderr.close()
    assert process.wait() == 0
    assert (tmp_path / "runs/r/history.jsonl").read_text().count("\n") == 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize(("streams", "code"), [(">/dev/full", 74), ("| true", 0), (">&-", 0)])
def test_a_result_that_cannot_be_printed_is_said(
    few: Path, tmp_path: Path, streams: str, code: int
) -> None:
    done = shell(("train", "--data", str(few), *TRAIN, "-q"), streams, tmp_path)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert ("could not be printed: No space left" in done.stderr) == (code == 74)
    assert (tmp_path / "runs/r/report.json").is_file()
