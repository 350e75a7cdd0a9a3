"""Output streams: what others wrote is printed escaped, and a stream may be lost on the way.

Names of files and classes come from strangers, and a terminal obeys control characters: they set
its title and clipboard, move the cursor, turn text around. Nothing else than line breaks and tabs
is passed on, whoever prints: this program, a library's warning, a traceback.

The other end of a stream may vanish: a pipe's reader leaves, the log's disk is full, the terminal
hangs up. What cannot be printed is then dropped, and the work goes on. It may also stop to read, as
a program that only waits for the end, or a terminal behind Ctrl-S: of stderr, lines are then left
out and counted.
"""

from __future__ import annotations

import io
import os
import select
import sys
import unicodedata
from contextlib import suppress
from threading import RLock
from typing import Any, TextIO, cast

WRITTEN = frozenset("\n\t")
"""Control characters that a stream passes on."""
PATIENCE = 1.0
"""Seconds for which a line of stderr waits for a reader who has stopped."""
PIECE = 400
"""Characters written at a time: at most 4,000 bytes, for which a pipe that is ready has room."""


def escaped(text: str, *, passed: frozenset[str] = frozenset()) -> str:
    r"""Text with each character that could command a terminal as an escape, such as `\x1b`.

    These are the control characters, but not those `passed`; those that change the direction of
    text or have no width; line separators; and bytes that are no text (surrogates).
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if _is_plain(one) or one in passed else _named(one) for one in text)


def _is_plain(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _named(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


class Lasting(io.TextIOBase):
    """Stream whose other end may vanish: what it does not take is dropped, and `lost` says why.

    With `patience`, in seconds, the other end may also stop to read: no line waits for longer, and
    those that follow are left out, and counted, until it reads on.
    """

    def __init__(self, stream: Any, *, patience: float | None = None) -> None:
        self.stream = stream
        """None: the program was started without it."""
        self.patience = patience
        self.lost: OSError | None = None
        self.written = False
        """True once something was written."""
        self.left_out = 0
        """Lines left out since the other end stopped to read."""
        self._line = ""
        self._lock = RLock()
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Writes the text, or drops it; returns its length. With patience whole lines only."""
        self.written = True
        if self.patience is None:
            self._give(text)
            return len(text)
        with self._lock:
            whole, end, self._line = (self._line + text).rpartition("\n")
            if end:
                self._give_in_time(whole + end)
        return len(text)

    def flush(self) -> None:
        """Writes what is still held, or drops it."""
        with self._lock:
            rest, self._line = self._line, ""
            if rest or self.left_out:
                self._give_in_time(rest)
        self._give("")

    def _give(self, text: str) -> None:
        if self.stream:
            try:
                if text:
                    self.stream.write(text)
                else:
                    self.stream.flush()
            except OSError as error:
                self._lose(error)

    def _give_in_time(self, text: str) -> None:
        """Writes lines as far as the other end reads on in time; counts the rest."""
        if not self._ready(0 if self.left_out else self.patience or 0):
            self.left_out += text.count("\n")
            return
        if self.left_out:
            lines = "line" if self.left_out == 1 else "lines"
            text = f"... {self.left_out} {lines} left out\n{text}"
            self.left_out = 0
        for start in range(0, len(text), PIECE):
            if start and not self._ready(self.patience or 0):
                self.left_out += text.count("\n", start)
                return
            self._give(text[start : start + PIECE])
            self._give("")

    def _ready(self, seconds: int | float) -> bool:
        """True once the other end takes a piece; False where it does not within the seconds."""
        try:
            ready = select.poll()
            ready.register(self.fileno(), select.POLLOUT)
            return bool(ready.poll(1000 * seconds))
        except (AttributeError, OSError, ValueError):
            return True  # no poll on this system, or no descriptor: writing will tell

    def _lose(self, error: OSError) -> None:
        # Python holds what could not be written, and would try again at every later line and at
        # its end. So the descriptor is turned to where everything is taken.
        self.lost = error
        with suppress(OSError, ValueError):
            descriptor = self.stream.fileno()
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, descriptor)
            os.close(sink)

    def writable(self) -> bool:
        """True: it takes everything."""
        return True

    def isatty(self) -> bool:
        """True for a terminal."""
        return bool(self.stream and self.stream.isatty())

    def fileno(self) -> int:
        """The stream's own; io.UnsupportedOperation without one."""
        return int(self.stream.fileno()) if self.stream else super().fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's own."""
        return getattr(self.stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """Characters that the encoding lacks are written as escapes."""
        return "backslashreplace"


class Escaping(Lasting):
    """Lasting stream that escapes what could command a terminal."""

    def write(self, text: str) -> int:
        """Writes the text escaped; returns its length."""
        super().write(escaped(text, passed=WRITTEN))
        return len(text)


def install() -> Escaping:
    """Makes stdout and stderr escaping and lasting; returns stdout.

    A standard descriptor that is closed is opened first: else the next file would get its number,
    and with it whatever is written there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    out, err = _escaping(sys.stdout), _escaping(sys.stderr, patience=PATIENCE)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    return out


def _escaping(stream: Any, *, patience: float | None = None) -> Escaping:
    return stream if isinstance(stream, Escaping) else Escaping(stream, patience=patience)


def styled(stream: Any) -> Any:
    """The stream for a library that commands the terminal itself; its texts must be escaped."""
    if not isinstance(stream, Escaping):
        return stream
    return Lasting(stream.stream, patience=stream.patience)
