"""TODO."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address

EVERY_ADDRESS = ("0.0.0.0", "::")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def names_of(host: str) -> list[str]:
    """The names and addresses by which a server that listens on `host` may be called."""
    import socket

    if host not in EVERY_ADDRESS:
        return [host]
    own = socket.gethostname()
    names = [host, own, socket.getfqdn()]
    with suppress(OSError):
        names += [str(entry[4][0]) for entry in socket.getaddrinfo(own, None)]
    return names


@contextmanager
def service_packages(why: str) -> Iterator[None]:
    """While the service is imported: a package that is not installed raises ConfigError."""
    from chainrule.core.errors import ConfigError

    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("chainrule"):
            raise
        raise ConfigError(
            f"{error.name} is missing; {why}: pip install 'chainrule[serve]'"
        ) from None


def has_display() -> bool:
    """Whether a browser could show anything."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def browse(address: str, token: str) -> None:
    """Opens the page in the user's browser."""
    import webbrowser

    for every in EVERY_ADDRESS:
        address = address.replace(f"//{every}:", "//127.0.0.1:").replace(
            f"//[{every}]:", "//[::1]:"
        )
    webbrowser.open(f"{address}/?token={token}" if token else f"{address}/")
