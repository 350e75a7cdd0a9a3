"""`chainrule serve`: the page that draws and looks inside, and predictions over HTTP."""

from __future__ import annotations

import gc
from threading import Thread
from typing import Annotated

import typer

from chainrule.cli.completion import completer, runs
from chainrule.cli.console import Quiet, note
from chainrule.service.local import browse, has_display, is_loopback, names_of, service_packages


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
            help="Who asks must send it; needed for an address that others can reach.",
            envvar="CHAINRULE_TOKEN",
            show_envvar=True,
        ),
    ] = "",
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Let everybody ask who can reach the address.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A further name by which the server is called; may be repeated."),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
    quiet: Quiet = False,
) -> None:
    """Serve a network: the page to draw digits on, and predictions at /v1/predict.

    It listens on this machine alone, unless --host says otherwise. Ctrl-C or SIGTERM ends it; what
    was asked before is answered.

    Example: chainrule serve mine --port 8001
    """
    from chainrule.core.errors import ConfigError
    from chainrule.runs.folder import find, model_name, newest_run

    if not is_loopback(host) and not token and not no_auth:
        raise ConfigError(
            f"--host {host}: others can reach it, so give --token, or --no-auth to let everybody in"
        )
    if token and no_auth:
        raise ConfigError("--token and --no-auth: give one of them")
    with service_packages("the service is an optional part"):
        from chainrule.service.app import Readiness, application
        from chainrule.service.security import LOOPBACK
        from chainrule.service.server import Server, listen
    from chainrule.nn.model_file import load_model
    from chainrule.web.bundle import files, model_as_dict

    if not run:
        run = newest_run()
        if not quiet:
            note(f"the newest run: {run}")
    path = find(run)
    model = load_model(path)
    name = model_name(path)
    readiness = Readiness()
    hosts = LOOPBACK | set(allow_host or ()) | set(names_of(host))
    try:
        app = application(
            model, name, files=files(), weights=lambda: model_as_dict(model, name),
            readiness=readiness, hosts=hosts, token=token or None,
        )  # fmt: skip
    except ValueError as error:
        raise ConfigError(f"--token: {error}") from None
    server = Server(app, listen(host, port), on_drain=readiness.drain)
    with server.capture_signals():  # from before anybody knows the address
        print(f"{server.address}/", flush=True)
        if not quiet:
            note(f"{name} is served; Ctrl-C ends it")
        if not no_open and has_display():
            # It connects before the server runs, and waits; some browsers run in the terminal.
            Thread(target=browse, args=(server.address, token), daemon=True).start()
        # What is loaded by now stays: no request shall wait for a search through it.
        gc.freeze()
        server.run()
