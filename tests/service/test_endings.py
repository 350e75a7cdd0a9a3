"""The end of the server: whatever was sent before gets its answer."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chainrule.nn.model_file import Model, save
from chainrule.service import server as serving
from chainrule.service.security import answer
from chainrule.service.server import Server, listen
from helpers.talk import CLOSE, GET, ROW, one_answer, statuses
from service.conftest import network, running


def test_on_its_end_a_server_in_a_thread_answers_what_was_sent(model: Model) -> None:
    with running(model) as ask:
        address = ("127.0.0.1", ask.port)
        idle = socket.create_connection(address, timeout=5)
        half = socket.create_connection(address, timeout=5)
        half.sendall(ROW[:500])
        time.sleep(0.2)
        stopping = threading.Thread(target=ask.server.stop)
        stopping.start()
        while not ask.server.draining:
            time.sleep(0.01)
        # Old connections and, for a moment, new ones are still answered, and told to go.
        assert ask("GET", "/readyz").status == 503
        idle.sendall(GET)
        assert CLOSE in idle.recv(1000)
        time.sleep(serving.LINGER + 0.2)
        with pytest.raises(ConnectionRefusedError):
            ask("GET", "/readyz")
        assert stopping.is_alive()
        half.sendall(ROW[500:])
        received = half.recv(1000)
        assert received.startswith(b"HTTP/1.1 200")
        assert CLOSE in received
        stopping.join(5)
        assert not stopping.is_alive()
        idle.close()
        half.close()


def test_at_the_end_idle_connections_are_closed_and_requests_in_a_row_are_answered(
    model: Model,
) -> None:
    with running(model) as ask:
        idle, fresh, row = (
            socket.create_connection(("127.0.0.1", ask.port), timeout=5) for _ in range(3)
        )
        idle.sendall(ROW)
        assert one_answer(idle) == (200, False)
        row.sendall(ROW[:-1])
        time.sleep(0.2)
        started = time.monotonic()
        stopping = threading.Thread(target=ask.server.stop)
        stopping.start()
        while not ask.server.draining:
            time.sleep(0.01)
        row.sendall(ROW[-1:] + ROW + ROW)
        received = b""
        while more := row.recv(65536):
            received += more
        assert statuses(received) == [200] * 3
        # Only the last of them says that it is.
        assert received.count(CLOSE) == 1
        assert idle.recv(100) == fresh.recv(100) == b""
        assert serving.LINGER < time.monotonic() - started < serving.LINGER + 1.5
        stopping.join(5)
        for connection in (idle, fresh, row):
            connection.close()


def test_who_is_in_the_systems_queue_when_the_listening_ends_is_answered() -> None:
    async def hello(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, 200, b"{}")

    async def end_it() -> list[bytes]:
        server = Server(hello, listen("127.0.0.1", 0))
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        loop = asyncio.get_running_loop()
        server.servers = [await loop.create_server(server._protocol, sock=server.listener)]
        address = server.listener.getsockname()
        # The loop has no turn in between: the system takes the connections, and nobody else.
        clients = [socket.create_connection(address, timeout=5) for _ in range(3)]
        for client in clients:
            client.sendall(GET)
        await server._stop_listening()
        received = await asyncio.gather(
            *(loop.run_in_executor(None, client.recv, 1000) for client in clients)
        )
        for client in clients:
            client.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
        while server.connections:
            await asyncio.sleep(0.01)
        return received

    assert [received[:15] for received in asyncio.run(end_it())] == [b"HTTP/1.1 200 OK"] * 3


def test_what_waits_to_be_read_keeps_a_connection_open() -> None:
    here, there = socket.socketpair()

    class Transport:
        closed = False

        def get_extra_info(self, name: str) -> socket.socket:
            return here

        def close(self) -> None:
            self.closed = True

    transport = Transport()
    with here, there:
        there.sendall(b"a request")
        serving.end_of_sending(transport)
        assert not transport.closed
        here.recv(100)
        serving.end_of_sending(transport)
        assert transport.closed
        assert there.recv(1) == b""


def test_what_never_ends_is_told_to_and_then_cut(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "LONGEST_DRAIN", 1.0)
    with running(model) as ask:
        half = socket.create_connection(("127.0.0.1", ask.port), timeout=5)
        half.sendall(ROW[:500])
        time.sleep(0.2)
        started = time.monotonic()
        ask.server.stop()
        assert time.monotonic() - started < 2
        assert half.recv(100) == b""
        half.close()


@contextmanager
def serving_with(tmp_path: Path, *interpreter: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`chainrule serve` in a process of its own, and its port."""
    path = save(Model(network(784, 16, 10), (), (28, 28)), tmp_path / "m.safetensors")
    command = [sys.executable, *interpreter, "serve", str(path), "--port", "0", "--no-open"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        line = process.stdout.readline().strip()
        try:
            yield process, int(line.rstrip("/").rpartition(":")[2])
        finally:
            process.kill()


@pytest.fixture
def child(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A service that answers."""
    with serving_with(tmp_path, "-m", "chainrule") as started:
        yield started


WAITS_BEFORE_IT_RUNS = """
from chainrule.cli import main
from chainrule.service.server import Server

run = Server.run
Server.run = lambda self: (input(), run(self))
main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_between_the_address_and_the_running_loses_nothing_either(
    tmp_path: Path, number: int
) -> None:
    with serving_with(tmp_path, "-c", WAITS_BEFORE_IT_RUNS) as (process, port):
        clients = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(3)]
        for client in clients:
            client.sendall(ROW)
        process.send_signal(number)
        time.sleep(0.2)
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
        for client in clients:
            assert one_answer(client) == (200, True)
            client.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_under_load_loses_no_request_and_ends_with_zero(
    child: tuple[subprocess.Popen[str], int], number: int
) -> None:
    process, port = child
    answered, lost = [0] * 8, [0] * 8

    def asks_until_told_to_go(client: int) -> None:
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", port), timeout=5)
            except ConnectionRefusedError:
                return
            with connection:
                closes = False
                while not closes:
                    try:
                        connection.sendall(ROW)
                        status, closes = one_answer(connection)
                    except ConnectionError:
                        status = 0
                    if status != 200:
                        lost[client] += 1
                        return
                    answered[client] += 1

    clients = [threading.Thread(target=asks_until_told_to_go, args=(n,)) for n in range(8)]
    for client in clients:
        client.start()
    time.sleep(0.4)
    process.send_signal(number)
    for client in clients:
        client.join(10)
    assert process.wait(10) == 0
    assert sum(lost) == 0
    assert min(answered) > 5
    assert process.stderr
    assert "Traceback" not in process.stderr.read()


def test_the_second_signal_ends_at_once(child: tuple[subprocess.Popen[str], int]) -> None:
    process, port = child
    with socket.create_connection(("127.0.0.1", port), timeout=5) as half:
        half.sendall(ROW[:500])
        time.sleep(0.2)
        process.terminate()
        time.sleep(0.4)
        assert process.poll() is None
        process.terminate()
        process.wait(2)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux filters packets for a socket")
def test_held_back_nobody_new_gets_in_and_who_waits_is_kept() -> None:
    listener = listen("127.0.0.1", 0)
    place = listener.getsockname()[:2]
    with socket.create_connection(place) as early:
        serving.hold_back(listener)
        with pytest.raises(TimeoutError):
            socket.create_connection(place, timeout=0.2)
        early.sendall(b"?")
        taken, _ = listener.accept()
        with taken:
            assert taken.recv(1) == b"?"
    listener.close()


def test_a_system_that_lets_nobody_hold_back_connections_is_served_all_the_same() -> None:
    class Refusing(socket.socket):
        def setsockopt(self, *_option: object) -> None:
            raise PermissionError(1, "Operation not permitted")

    with Refusing() as listener:
        serving.hold_back(listener)
