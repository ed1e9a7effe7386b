"""Clients that are slow, silent or gone cost the others nothing: each is a connection of the server, and no thread."""

import json
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import urllib3

from app.services import planning
from tests.integration.tasks.system import System
from tests.integration.tasks.test_deaths import locked
from tests.integration.tasks.wire import wire
from tests.support.bad_clients import POST, TINY_BUFFER_BYTES, BadClient, bad_clients
from tests.support.ports import free_port
from tests.support.program import Program
from tests.support.wait import eventually

BAD = 200
PIECE_BYTES = 128 * 1024
LOG_PIECES = 48
"""More than the kernel takes for a client that reads nothing."""
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def send(system: System, method: str, path: str, body: object) -> int:
    """On a connection of its own, which comes after all others."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"http://127.0.0.1:{system.port}{path}"
    headers = {"Content-Type": "application/json", "Connection": "close"}
    return urllib3.request(method, url, body=content, headers=headers, retries=False, timeout=60.0).status


def running_step(system: System) -> str:
    """A step that runs, and has printed much."""
    (step,) = system.step_ids(system.build())
    system.database.transact(planning.plan, system.step(step).build_id)
    assert send(system, "POST", f"/api/runner/{step}/claim", {"runner": "r", "heartbeats": True}) == 200
    for piece in range(LOG_PIECES):
        path = f"/api/runner/{step}/log?attempt=1&offset={piece * PIECE_BYTES}"
        assert send(system, "PUT", path, b"x" * PIECE_BYTES) == 200
    return step


def connections(port: int) -> Iterator[tuple[str, bool]]:
    """Of the server's: each one's state, and whether the server has it open, as it has an inode then."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        row = line.split()
        if row[1].endswith(f":{port:04X}"):
            yield row[3], row[9] != "0"


def accepted(port: int) -> int:
    """Connections that the server has taken on."""
    return sum(is_open and state != "0A" for state, is_open in connections(port))


def let_go(port: int) -> int:
    """Connections that the server has closed although their clients have still something to take."""
    return sum(state == "04" and not is_open for state, is_open in connections(port))


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def waiting_on_disk(api: Program) -> int:
    """How many bytes the API's process keeps in files that have no name."""
    descriptors = Path(f"/proc/{api.lines('Booting worker')[0]['event'].split()[-1]}/fd").iterdir()
    return sum(map(_nameless_bytes, descriptors))


def _nameless_bytes(descriptor: Path) -> int:
    """The size of a file that has no name any more; 0 for any other, and where it was closed meanwhile."""
    with suppress(FileNotFoundError):
        if descriptor.readlink().name.endswith("(deleted)"):
            return descriptor.stat().st_size
    return 0


def wait_accepted(system: System, clients: Sequence[BadClient]) -> None:
    eventually(lambda: accepted(system.port) >= len(clients), describe=lambda: f"{accepted(system.port)} accepted")


def test_heartbeats_and_builds_are_answered_while_two_hundred_bad_clients_are_waited_for(system: System) -> None:
    system.api(BUILDSERVER_API_THREADS="4")
    step = running_step(system)
    with bad_clients(system.port, BAD, f"/api/steps/{step}/log") as clients:
        wait_accepted(system, clients)
        assert send(system, "POST", f"/api/runner/{step}/heartbeat", {"runner": "r", "attempt": 1}) == 200
        assert send(system, "POST", "/api/projects", {"accountId": "acme", "name": "rocket"}) == 201
        assert [client.kind for client in clients if not client.is_held] == []


def test_bad_clients_are_let_go_when_their_time_is_over(system: System) -> None:
    """Those that sent part of a request are told why; the rest see the end of it. Dripping gains nothing."""
    system.api(BUILDSERVER_CLIENT_TIMEOUT_S="1.5")
    step = running_step(system)
    with bad_clients(system.port, 10, f"/api/steps/{step}/log") as clients:
        first = {client.kind: client.connection for client in clients[:5]}
        for kind in ("sends half a head", "sends half a body", "drips its body"):
            told = first[kind].makefile("rb").read()
            assert told.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
            assert json.loads(told.partition(b"\r\n\r\n")[2]) == {
                "error": "the request did not arrive within 1.5 seconds"
            }
        assert first["says nothing"].recv(1) == b""
        eventually(lambda: accepted(system.port) == 0, describe=lambda: f"{accepted(system.port)} left")


def wait_late(system: System) -> None:
    """Until a client that began to send now has had its time."""
    with wire(system.port) as line:
        line.send(POST)
        assert line.answer().status == 408


def test_a_client_that_sends_much_has_more_time(system: System) -> None:
    system.api(BUILDSERVER_CLIENT_TIMEOUT_S="0.5")
    step = running_step(system)
    head = f"PUT /api/runner/{step}/log?attempt=1&offset=0 HTTP/1.1\r\nHost: x\r\nContent-Length: {PIECE_BYTES}\r\n\r\n"
    with wire(system.port) as line:
        line.send(head.encode() + b"x")
        wait_late(system)
        line.send(b"x" * (PIECE_BYTES - 1))
        assert line.answer().status == 200


def test_a_client_has_not_to_hurry_because_the_server_does_not(system: System) -> None:
    """Its request waits for a row that somebody else holds, for longer than a client may keep the server waiting."""
    (step,) = system.step_ids(system.build())
    system.api(BUILDSERVER_CLIENT_TIMEOUT_S="0.5")
    body = b'{"runner": "r", "heartbeats": true}'
    head = f"POST /api/runner/{step}/claim HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with wire(system.port) as line:
        with locked(system, system.step(step).build_id):
            line.send(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            wait_late(system)
        assert line.answer().status == 409


def test_a_client_that_stays_within_its_time_may_send_byte_by_byte(system: System) -> None:
    system.api()
    body = b'{"accountId": "acme", "name": "rocket"}'
    with wire(system.port) as line:
        for byte in POST.replace(b"1000", b"%d" % len(body)) + body:
            line.send(bytes([byte]))
        answer = line.answer()
    assert (answer.status, answer.body["name"]) == (201, "rocket")


def test_a_log_is_whole_for_a_client_that_takes_it_slowly(system: System) -> None:
    """It stops until the server has sent what can be sent, so that the rest leaves from the poller."""
    system.api(BUILDSERVER_API_THREADS="1")
    step = running_step(system)
    with wire(system.port) as line:
        line.send(f"GET /api/steps/{step}/log HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert send(system, "POST", f"/api/runner/{step}/heartbeat", {"runner": "r", "attempt": 1}) == 200
        answer = line.answer()
    assert (answer.status, answer.content == b"x" * PIECE_BYTES * LOG_PIECES) == (200, True)


def test_a_client_that_takes_no_answer_is_given_one_at_a_time_and_in_the_end_all(system: System) -> None:
    """So room is needed for one, however many were asked for at once. The server has looked for bad clients by then."""
    api = system.api(BUILDSERVER_API_THREADS="1")
    step = running_step(system)
    with wire(system.port, TINY_BUFFER_BYTES) as line:
        line.send(f"GET /api/steps/{step}/log HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 3)
        for _ in range(300):
            assert send(system, "POST", f"/api/runner/{step}/heartbeat", {"runner": "r", "attempt": 1}) == 200
        assert 0 < waiting_on_disk(api) <= PIECE_BYTES * LOG_PIECES
        assert [line.answer().content == b"x" * PIECE_BYTES * LOG_PIECES for _ in range(3)] == [True] * 3


def test_what_clients_do_not_take_has_a_limit_for_all_together(system: System) -> None:
    """The log is larger than its limit allows by now, so that a few clients are enough."""
    system.api()
    step = running_step(system)
    system.port = free_port()
    system.api(BUILDSERVER_LOG_LIMIT_BYTES="1 MiB", BUILDSERVER_CLIENT_TIMEOUT_S="3600")
    with bad_clients(system.port, 50, f"/api/steps/{step}/log") as clients:
        deaf = [client for client in clients if client.kind == "reads nothing"]
        eventually(lambda: let_go(system.port) and let_go(system.port) + accepted(system.port) == len(clients))
        assert let_go(system.port) < len(deaf)


def test_an_answer_that_is_being_taken_is_whole_although_the_server_is_asked_to_end(system: System) -> None:
    """Clients that have nothing to take are let go of before."""
    api = system.api()
    step = running_step(system)
    with wire(system.port) as silent, wire(system.port, TINY_BUFFER_BYTES) as line:
        line.send(f"GET /api/steps/{step}/log HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        eventually(lambda: waiting_on_disk(api) > 0)
        api.send(signal.SIGTERM)
        assert silent.has_ended()
        answer = line.answer()
    assert (answer.status, answer.content == b"x" * PIECE_BYTES * LOG_PIECES) == (200, True)
    assert api.process.wait(20) == 0


def test_a_last_request_on_a_connection_is_answered_although_the_server_is_asked_to_end(system: System) -> None:
    api = system.api()
    with wire(system.port) as line:
        line.send(GET)
        assert "Connection" not in line.answer().headers
        api.send(signal.SIGTERM)
        eventually(lambda: not listens(system.port))
        line.send(GET)
        answer = line.answer()
        assert (answer.status, answer.headers["Connection"], line.has_ended()) == (200, "close", True)
    assert api.process.wait(20) == 0


def test_more_silent_clients_than_connections_keep_nobody_out(system: System) -> None:
    """The one that was waited for longest is let go for each that comes; their time alone would do it much later."""
    system.api(BUILDSERVER_API_CONNECTIONS="50", BUILDSERVER_CLIENT_TIMEOUT_S="3600")
    step = running_step(system)
    with bad_clients(system.port, BAD, "/healthz") as clients:
        assert send(system, "POST", f"/api/runner/{step}/heartbeat", {"runner": "r", "attempt": 1}) == 200
        assert any(client.is_held for client in clients)


def test_a_stop_does_not_wait_for_bad_clients(system: System) -> None:
    api = system.api(BUILDSERVER_STOP_GRACE_S="600")
    with bad_clients(system.port, 20, "/healthz") as clients:
        wait_accepted(system, clients)
        assert api.stop() == 0
