"""`chainrule serve`: the page to draw on and look inside, and predictions over HTTP."""

from __future__ import annotations

import gc
from threading import Thread
from typing import Annotated

import typer

from chainrule.cli.completion import completer, runs
from chainrule.cli.console import Quiet, note, show, silence

ORDER = 70


def serve(
    run: Annotated[
        str,
        typer.Argument(
            help="A run's name, its folder, or a model file; else the newest run.",
            autocompletion=completer(runs),
        ),
    ] = "",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 takes any free one.", min=0, max=65535)] = (
        8000
    ),
    token: Annotated[
        str,
        typer.Option(
            help="Required of clients; needed for an address that others can reach.",
            envvar="CHAINRULE_TOKEN",
            show_envvar=True,
        ),
    ] = "",
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Let everyone in who can reach the address.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A further Host name to accept; may be repeated."),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
    quiet: Quiet = False,
) -> None:
    """Serve a network: the page to draw digits on, and predictions at /v1/predict.

    It listens on this machine only, unless --host says otherwise. Ctrl-C or SIGTERM ends it, after
    pending requests are answered.

    Example: chainrule serve mine --port 8001
    """
    from chainrule.nn.model_file import load_model
    from chainrule.runs.folder import find, latest, model_name, say_caveat
    from chainrule.service.local import browse, check_access, has_display, local_server

    check_access(host, token=token, no_auth=no_auth)
    if not run:
        run = latest()
        if not quiet:
            note(f"the newest run: {run}")
    path = find(run)
    name, model = model_name(path), load_model(path)
    say_caveat(name, model, silence if quiet else note)
    server = local_server(
        model, name, host=host, port=port, token=token, no_auth=no_auth,
        allow_hosts=allow_host or (),
    )  # fmt: skip
    with server.capture_signals():  # before anyone knows the address
        show(f"{server.address}/")
        if not quiet:
            note(f"{name} is served; Ctrl-C ends it")
        if not no_open and has_display():
            # It connects before the server runs, and waits; some browsers run in the terminal.
            Thread(target=browse, args=(server.address, token), daemon=True).start()
        # Objects loaded by now are permanent: no request waits for the collector to scan them.
        gc.freeze()
        server.run()
