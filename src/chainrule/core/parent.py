"""Child processes of ours: Python modules that end when their parent does, however it ends.

    python -P -m chainrule.core.parent MODULE ARGUMENT...

A parent that is killed can end nobody. So its child reads from a pipe that the parent holds open,
and whose end tells that there is no parent any more.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Mapping
from subprocess import PIPE, Popen
from threading import Thread
from typing import IO, Any


def start(
    module: str,
    *arguments: str,
    stdout: int | IO[Any],
    stderr: int | IO[Any],
    session: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Popen[str]:
    """Starts `python -m MODULE ARGUMENT...`; its stdin is the pipe, and empty.

    `session`: it gets one of its own, where Ctrl-C does not reach it. Raises OSError where no
    process can be started.
    """
    # -P: a file in the user's folder must not shadow a module.
    command = (sys.executable, "-P", "-m", "chainrule.core.parent", module, *arguments)
    try:
        return Popen(
            command, stdin=PIPE, stdout=stdout, stderr=stderr, encoding="utf-8", errors="replace",
            start_new_session=session, env=environment,
        )  # fmt: skip
    except BlockingIOError as error:
        reason = f"{error.strerror}: the system lets this user start no more processes"
        raise OSError(error.errno, reason, f"{module} {arguments[0]}") from None


def _watch(pipe: int) -> None:
    """Ends this process as a terminal that goes does, once the pipe has ended.

    A hang-up, unless it is ignored: where training saves already, a second one kills nothing.
    """
    while os.read(pipe, 1024):
        pass
    hang_up = getattr(signal, "SIGHUP", signal.SIGTERM)
    ignored = signal.getsignal(hang_up) == signal.SIG_IGN
    os.kill(os.getpid(), signal.SIGTERM if ignored else hang_up)


def main() -> None:
    """Runs the module, watching."""
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    Thread(target=_watch, args=(pipe,), name="parent", daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
