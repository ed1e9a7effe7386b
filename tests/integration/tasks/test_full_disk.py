"""Programs on a full disk: the API's own, as a limit on the size of files makes one, and that of the database."""

import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.services import logs
from tests.integration.tasks.system import System
from tests.integration.tasks.test_slow_clients import LOG_PIECES, PIECE_BYTES, accepted, running_step
from tests.integration.tasks.wire import Answer, wire
from tests.support.bad_clients import TINY_BUFFER_BYTES
from tests.support.full_disk import ADDING, WRITING, full_disk
from tests.support.program import Program
from tests.support.wait import eventually

BODY = b'{"accountId": "acme", "name": "rocket"}'.ljust(1_000_000)
"""More than the server keeps in memory, and not more than it takes."""
HEAD = b"POST /api/projects HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
IN_ONE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
PIECES = [BODY[start : start + 1000] for start in range(0, len(BODY), 1000)]
"""So small that one waits to be written when a file takes no more, and is to be written again as it is closed."""
IN_CHUNKS = (
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"3e8\r\n%s\r\n" % each for each in PIECES) + b"0\r\n\r\n"
)
ASKING = (HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY), BODY)

LOG_BYTES = LOG_PIECES * PIECE_BYTES
LEASE_S = 4.0
STEP = "echo $STEP_ATTEMPT >> '{0}/started'; until [ -e '{0}/end' ]; do sleep 0.05; done; echo last words"
SETTINGS = {
    "BUILDSERVER_LEASE_S": str(LEASE_S),
    "BUILDSERVER_HEARTBEAT_S": "0.5",
    "BUILDSERVER_SWEEP_INTERVAL_S": "0.2",
}


@contextmanager
def no_room(api: Program, room_bytes: int) -> Iterator[None]:
    """No file of the process can grow beyond that, those without a name in the temporary folder included."""
    served_by = int(api.lines("Booting worker")[0]["event"].split()[-1])
    resource.prlimit(served_by, resource.RLIMIT_FSIZE, (room_bytes, resource.RLIM_INFINITY))
    yield
    resource.prlimit(served_by, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def post(system: System, request: bytes) -> Answer:
    with wire(system.port) as line:
        line.send(request)
        return line.answer()


@pytest.mark.parametrize("room_bytes", [0, 700_000], ids=["no room", "room for a part of it"])
def test_a_request_too_large_for_memory_is_told_that_there_is_no_room_on_disk(system: System, room_bytes: int) -> None:
    """The server lets go of it at once, and the client has its answer even if the rest of it is on the way."""
    api = system.api()
    with no_room(api, room_bytes):
        for request in (IN_ONE, IN_CHUNKS):
            with wire(system.port) as line:
                line.send(request)
                answer = line.answer()
                assert line.has_ended()
            assert (answer.status, set(answer.body)) == (503, {"error"})
            assert answer.body["error"].startswith(
                "the server's disk is full, and it has no room for so large a request"
            )
            assert int(answer.headers["Retry-After"]) > 0
        with wire(system.port) as line:
            line.send(ASKING[0])
            assert line.answer(has_body=False).status == 100
            line.send(ASKING[1])
            assert (line.answer().status, line.has_ended()) == (503, True)
        eventually(lambda: accepted(system.port) == 0, describe=lambda: f"{accepted(system.port)} left")
    assert system.audit_entries() == 0
    assert [post(system, request).status for request in (IN_ONE, IN_CHUNKS)] == [201, 201]
    assert "uncaptured python exception" not in api.text


@pytest.mark.parametrize("room_bytes", [100_000, 700_000], ids=["room for its own log", "room for a part of it"])
def test_an_answer_that_finds_no_room_on_disk_breaks_off_and_nobody_waits_for_the_rest(
    system: System, room_bytes: int
) -> None:
    """A log, for a client that does not take it at first: it sees that there is less than it was promised."""
    api = system.api()
    step = running_step(system)
    request = f"GET /api/steps/{step}/log HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with no_room(api, room_bytes):
        with wire(system.port, TINY_BUFFER_BYTES) as line:
            line.send(request)
            api.wait_line("no room on disk for an answer")
            answer = line.answer()
            assert line.has_ended()
        assert len(answer.content) < int(answer.headers["Content-Length"]) == LOG_BYTES
        eventually(lambda: accepted(system.port) == 0, describe=lambda: f"{accepted(system.port)} left")
    with wire(system.port) as line:
        line.send(request)
        assert line.answer().content == b"x" * LOG_BYTES


@pytest.mark.parametrize("needing_room", [ADDING, WRITING], ids=["no row can be added", "nor changed"])
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_step_that_ends_while_the_database_is_full_for_longer_than_its_lease_counts_once(
    system: System, tmp_path: Path, needing_room: Sequence[str]
) -> None:
    """Either its runner is heard meanwhile, or the API cannot be seen to be there, and no lease runs out."""
    system.settings |= SETTINGS
    build = system.build(
        {"name": "first", "runScript": STEP.format(tmp_path)}, {"name": "then", "dependsOn": ["first"]}
    )
    programs = system.api(), system.orchestrator(), system.runner()
    api, orchestrator, runner = programs
    eventually((tmp_path / "started").exists, describe=lambda: runner.text)
    with full_disk(system.database, needing_room):
        over_at = time.monotonic() + LEASE_S + 1
        (tmp_path / "end").touch()
        assert post(system, IN_ONE).status == 503
        eventually(lambda: len(api.lines("database unavailable")) > 3, describe=lambda: api.text)
        eventually(lambda: time.monotonic() > over_at)
        assert system.statuses(build) == ["RUNNING", "RUNNING", "PENDING"]
    eventually(lambda: system.statuses(build) == ["SUCCESS"] * 3, describe=lambda: f"{runner.text}{orchestrator.text}")
    assert (tmp_path / "started").read_text() == "1\n"
    assert "attempt overdue" not in orchestrator.text
    assert system.database.read(log_of, system.step_ids(build)[0]) == b"last words\n"
    assert [program.process.poll() for program in programs] == [None] * 3


def log_of(session: Session, step: str) -> bytes:
    return logs.chunk(session, logs.extent(session, step), 0)
