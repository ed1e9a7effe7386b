"""The API's process on a disk that takes no more, as a limit on the size of its files makes one."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.tasks.system import System
from tests.integration.tasks.test_slow_clients import accepted
from tests.integration.tasks.wire import Answer, wire
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


@contextmanager
def full_disk(api: Program, room_bytes: int) -> Iterator[None]:
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
    with full_disk(api, room_bytes):
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
