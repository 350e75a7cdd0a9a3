"""Output streams: what others wrote is printed escaped, and a stream may be lost on the way.

Names of files and classes come from strangers, and a terminal obeys control characters: they set
its title and clipboard, move the cursor, turn text around. Nothing else than line breaks and tabs
is passed on, whoever prints: this program, a library's warning, a traceback.

The other end of a stream may vanish: a pipe's reader leaves, the log's disk is full, the terminal
hangs up. What cannot be printed is then dropped, and the work goes on.
"""

from __future__ import annotations

import io
import os
import sys
import unicodedata
from contextlib import suppress
from typing import Any, TextIO, cast

WRITTEN = frozenset("\n\t")
"""Control characters that a stream passes on."""


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
    """Stream whose other end may vanish: what it does not take is dropped, and `lost` says why."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        """None: the program was started without it."""
        self.lost: OSError | None = None
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Writes the text, or drops it; returns its length."""
        if self.stream:
            try:
                self.stream.write(text)
            except OSError as error:
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Writes what is still held, or drops it."""
        if self.stream:
            try:
                self.stream.flush()
            except OSError as error:
                self._lose(error)

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
    out, err = _escaping(sys.stdout), _escaping(sys.stderr)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    return out


def _escaping(stream: Any) -> Escaping:
    return stream if isinstance(stream, Escaping) else Escaping(stream)


def styled(stream: Any) -> Any:
    """The stream for a library that commands the terminal itself; its texts must be escaped."""
    return Lasting(stream.stream) if isinstance(stream, Escaping) else stream
