"""`chainrule serve`: what it asks before it listens to others, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import typer

from chainrule.cli import serve as command
from chainrule.core.errors import ConfigError
from chainrule.data.dataset import DIGITS
from chainrule.nn.model_file import Model, save
from chainrule.runs.folder import latest
from chainrule.service import local
from chainrule.service import server as serving
from chainrule.service.local import browse, names_of
from helpers.signals import wait_until
from service.conftest import Asker, network

TOKEN = "0123456789abcdef-token"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, with two runs and one that has no model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHAINRULE_TOKEN", raising=False)
    for number, name in enumerate(["old", "new", "unfinished"]):
        (tmp_path / "runs" / name).mkdir(parents=True)
        if name != "unfinished":
            path = tmp_path / "runs" / name / "model.safetensors"
            save(Model(network(784, 8, 10), DIGITS, (28, 28)), path)
            os.utime(path, (1000 + number, 1000 + number))
    return tmp_path


class Served(Exception):
    """Instead of serving for ever."""


@pytest.fixture
def served(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the command would serve: [server]; it ends with Served."""
    servers: list[Any] = []

    def run(self: serving.Server) -> None:
        servers.append(self)
        self.listener.close()
        raise Served

    monkeypatch.setattr(serving.Server, "run", run)
    return servers


def give(*arguments: str) -> None:
    """Runs the command in this process."""
    app = typer.Typer()
    app.command()(command.serve)
    app(list(arguments), standalone_mode=False)


def test_the_latest_with_a_model_is_served_on_loopback(
    served: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert latest() == "new"
    with pytest.raises(Served):
        give("--port", "0", "--no-open")
    out, err = capsys.readouterr()
    assert served[0].address.startswith("http://127.0.0.1:")
    assert out == f"{served[0].address}/\n"
    assert "the newest run: new" in err
    os.utime("runs/old/model.safetensors", (2000, 2000))
    assert latest() == "old"


def test_without_a_run_the_remedy_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "empty").mkdir()
    monkeypatch.chdir(folder / "empty")
    with pytest.raises(ConfigError, match="train one first: chainrule train"):
        give("--no-open")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "10.0.0.1"])
def test_an_address_that_others_can_reach_needs_a_token_or_a_word(
    served: list[Any], host: str
) -> None:
    with pytest.raises(ConfigError, match="--token, or --no-auth"):
        give("--host", host, "--port", "0", "--no-open")
    assert not served


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
def test_an_address_of_this_machine_alone_needs_none(served: list[Any], host: str) -> None:
    with pytest.raises(Served):
        give("--host", host, "--port", "0", "--no-open")


@pytest.mark.parametrize("secret", [("--token", TOKEN), ("--no-auth",)])
def test_with_one_of_them_it_listens_to_others(served: list[Any], secret: tuple[str, ...]) -> None:
    with pytest.raises(Served):
        give("--host", "0.0.0.0", "--port", "0", "--no-open", *secret)
    assert served[0].address.startswith("http://0.0.0.0:")


def test_a_token_is_held_to_its_rules(served: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="--token: a token of 5 characters"):
        give("--token", "short", "--no-open")
    with pytest.raises(ConfigError, match="give one of them"):
        give("--token", TOKEN, "--no-auth", "--no-open")
    monkeypatch.setenv("CHAINRULE_TOKEN", "12345")
    with pytest.raises(ConfigError, match="--token: a token of 5 characters"):
        give("--no-open")


def test_a_taken_port_is_one_sentence(folder: Path, ask: Asker) -> None:
    with pytest.raises(ConfigError, match=f"port {ask.port} of 127.0.0.1 is not available"):
        give("--port", str(ask.port), "--no-open")


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn", "orjson", "prometheus_client"])
def test_without_the_extra_the_remedy_is_named(folder: Path, missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None; "
        "sys.argv = ['chainrule', 'serve', 'new', '--no-open']; "
        "from chainrule.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: {missing} is missing; the service is optional: pip install 'chainrule[serve]'\n"
    )


@pytest.mark.parametrize(
    ("environment", "options", "opened"),
    [
        ({"DISPLAY": ":0"}, (), True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, (), True),
        ({}, (), False),
        ({"DISPLAY": ":0"}, ("--no-open",), False),
    ],
)
def test_a_browser_is_opened_where_there_is_a_display(
    served: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    options: tuple[str, ...],
    opened: bool,
) -> None:
    visited: list[str] = []
    monkeypatch.setattr("webbrowser.open", visited.append)
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(command, "Thread", Immediate)
    with pytest.raises(Served):
        give("--port", "0", "--host", "0.0.0.0", "--token", TOKEN, *options)
    port = served[0].address.rpartition(":")[2]
    assert len(visited) == opened
    for address in visited:
        # In the browser's arguments the token would be in the list of processes.
        assert TOKEN not in address
        page = Path(unquote(urlsplit(address).path))
        assert f"url=http://127.0.0.1:{port}/?token={TOKEN}" in page.read_text()
        assert (page.stat().st_mode & 0o777, page.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_without_a_token_the_browser_gets_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    visited: list[str] = []
    monkeypatch.setattr("webbrowser.open", visited.append)
    browse("http://0.0.0.0:8000", "")
    browse("http://[::]:8000", "")
    assert visited == ["http://127.0.0.1:8000/", "http://[::1]:8000/"]


def test_the_file_with_the_token_is_gone_once_the_browser_had_time_to_read_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    visited: list[str] = []
    monkeypatch.setattr("webbrowser.open", visited.append)
    monkeypatch.setattr(local, "KEPT", 0.0)
    browse("http://127.0.0.1:8000", TOKEN)
    folder = Path(unquote(urlsplit(visited[0]).path)).parent
    wait_until(lambda: not folder.exists(), "the folder is removed")


class Immediate:
    """A thread that runs at once."""

    def __init__(self, target: Any, args: tuple[Any, ...], daemon: bool) -> None:
        self.start = lambda: target(*args)


def test_the_names_by_which_it_may_be_called() -> None:
    assert names_of("192.168.1.5") == ["192.168.1.5"]
    assert len(names_of("0.0.0.0")) >= 3
    assert "0.0.0.0" in names_of("0.0.0.0")


def test_importing_the_library_loads_no_part_of_the_service() -> None:
    code = (
        "import sys, json, chainrule, chainrule.cli.app; "
        "print(json.dumps([m for m in sys.modules if m.split('.')[0] in "
        "('fastapi', 'uvicorn', 'starlette', 'pydantic', 'orjson', 'uvloop')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
