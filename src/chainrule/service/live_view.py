"""Live view server beside a training run, closed once every page has shown the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from secrets import token_urlsafe
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING

from chainrule.monitor.control import View
from chainrule.service.local import browse, has_display, service_packages

if TYPE_CHECKING:
    from chainrule.service.live import Audience

FIRST_PAGE = 8.0
"""Seconds for a browser to load the page, where training was over before."""
LAST_EVENT = 5.0
"""Seconds for the connected pages to read the end."""


@contextmanager
def opened(port: int, *, browser: bool, say: Callable[[str], None]) -> Iterator[View]:
    """Live view on 127.0.0.1 for the duration of the `with` statement; port 0: any free one.

    Raises ConfigError where the port is taken or the packages are missing.
    """
    with service_packages("to watch a run"):
        from chainrule.service.live import Audience, live_view
        from chainrule.service.server import Server, listen
    view, audience, token = View(), Audience(), token_urlsafe()
    application = live_view(view.event_log, view.give, audience, token)
    server = Server(application, listen("127.0.0.1", port), on_drain=view.event_log.close)
    server.start()
    try:
        say(f"watch it learn: {server.address}/?token={token}")
        browser = browser and has_display()
        if browser:
            # Some browsers return only when they are closed.
            Thread(target=browse, args=[server.address, token], daemon=True).start()
        yield view
        view.event_log.close()
        _wait_for(audience, first_page=FIRST_PAGE if browser else 0.0)
    finally:
        server.stop()


def _wait_for(audience: Audience, *, first_page: float) -> None:
    """Waits until a page has connected, if one is expected, and all of them have read the end."""
    began = monotonic()
    while not audience.ever and monotonic() - began < first_page:
        sleep(0.05)
    began = monotonic()
    while audience.now and monotonic() - began < LAST_EVENT:
        sleep(0.05)
