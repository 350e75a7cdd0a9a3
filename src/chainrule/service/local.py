"""Local server: checks of its address and token, and the browser that opens it."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from threading import Timer
from typing import TYPE_CHECKING

from chainrule.core.errors import ConfigError
from chainrule.nn.model_file import Model
from chainrule.web.bundle import files, model_as_dict

if TYPE_CHECKING:
    from chainrule.service.server import Server

KEPT = 60.0
"""Seconds for which the file with the token is there for the browser."""
EVERY_ADDRESS = ("0.0.0.0", "::")


def is_loopback(host: str) -> bool:
    """True if only this machine can reach the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def names_of(host: str) -> list[str]:
    """Names and addresses that the Host header may have for a server that listens on `host`."""
    import socket

    if host not in EVERY_ADDRESS:
        return [host]
    own = socket.gethostname()
    names = [host, own, socket.getfqdn()]
    with suppress(OSError):
        names += [str(entry[4][0]) for entry in socket.getaddrinfo(own, None)]
    return names


def local_server(
    model: Model,
    name: str,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str = "",
    no_auth: bool = False,
    allow_hosts: Sequence[str] = (),
) -> Server:
    """Server of the page and of predictions, listening but not running yet.

    An address that others can reach needs a token, or `no_auth` to let everyone in; port 0 takes
    any free one. Raises ConfigError where these do not fit, or where packages are missing.
    """
    check_access(host, token=token, no_auth=no_auth)
    from chainrule.service.app import Readiness, application
    from chainrule.service.security import LOOPBACK
    from chainrule.service.server import Server, listen

    readiness = Readiness()
    hosts = LOOPBACK | set(allow_hosts) | set(names_of(host))
    app = application(
        model, name, files=files(), weights=lambda: model_as_dict(model, name),
        readiness=readiness, hosts=hosts, token=token or None,
    )  # fmt: skip
    return Server(app, listen(host, port), on_drain=readiness.drain)


def check_access(host: str, *, token: str, no_auth: bool) -> None:
    """Raises ConfigError where address and token do not fit, or packages are missing."""
    if not is_loopback(host) and not token and not no_auth:
        raise ConfigError(
            f"--host {host}: others can reach it, so give --token, or --no-auth to let everyone in"
        )
    if token and no_auth:
        raise ConfigError("--token and --no-auth: give one of them")
    with service_packages("the service is optional"):
        from chainrule.service import app, server  # noqa: F401
        from chainrule.service.tokens import check_token
    try:
        check_token(token or None)
    except ValueError as error:
        raise ConfigError(f"--token: {error}") from None


@contextmanager
def service_packages(why: str) -> Iterator[None]:
    """Import guard of the service: a package that is not installed raises ConfigError."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("chainrule"):
            raise
        raise ConfigError(
            f"{error.name} is missing; {why}: pip install 'chainrule[serve]'"
        ) from None


def has_display() -> bool:
    """True if a browser could show anything."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def browse(address: str, token: str) -> None:
    """Opens the page in the user's browser; a token goes through a file that only they can read.

    In the browser's arguments every user of the machine would see it. The file is removed once the
    browser has had time to read it, and at the latest when this process ends.
    """
    import webbrowser

    for every in EVERY_ADDRESS:
        address = address.replace(f"//{every}:", "//127.0.0.1:").replace(
            f"//[{every}]:", "//[::1]:"
        )
    if not token:
        webbrowser.open(f"{address}/")
        return
    from chainrule.service.tokens import onward

    folder = Path(mkdtemp(prefix="chainrule-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    page = folder / "open.html"
    with open(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(onward(f"{address}/?token={token}"))
    tidy = Timer(KEPT, rmtree, (folder, True))
    tidy.daemon = True
    tidy.start()
    webbrowser.open(page.as_uri())
