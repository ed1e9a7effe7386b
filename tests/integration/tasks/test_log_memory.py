"""What a long log costs the API's process in memory while it comes in and while it is read."""

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import urllib3

from app.services import planning
from tests.integration.tasks.system import System
from tests.integration.tasks.test_api_process import claim

PIECE_BYTES = 256 * 1024
"""As much as a runner sends at once."""
WARM_UP, PIECES = 16, 288
GROWTH_BYTES = 50_000_000
"""Two thirds of the log; what held it whole would need the log's size at least."""


def pieces(count: int) -> Iterator[bytes]:
    """That cannot be compressed on their way, and of which each is another one."""
    drawn = random.Random(29)
    return (drawn.randbytes(PIECE_BYTES) for _ in range(count))


class Memory:
    """Of a process, in bytes: how much of it is in the machine's memory, and the most since `begin`."""

    def __init__(self, process_id: int) -> None:
        self._folder = Path(f"/proc/{process_id}")

    def begin(self) -> int:
        (self._folder / "clear_refs").write_text("5")
        return self._bytes("VmRSS")

    def most(self) -> int:
        return self._bytes("VmHWM")

    def _bytes(self, name: str) -> int:
        lines = (self._folder / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


class Log:
    """The log of a running step, sent and read as over any network."""

    def __init__(self, system: System) -> None:
        self._url = f"http://127.0.0.1:{system.port}"
        self._pool = urllib3.PoolManager(retries=False, timeout=20.0)
        (self._step,) = system.step_ids(system.build())
        system.database.transact(planning.plan, system.step(self._step).build_id)
        assert claim(system, self._step) == 200

    def send(self, count: int) -> str:
        """So many pieces; the hash of all of them."""
        sent = hashlib.sha256()
        for number, content in enumerate(pieces(count)):
            path = f"/api/runner/{self._step}/log?attempt=1&offset={number * PIECE_BYTES}"
            answer = self._pool.request("PUT", self._url + path, body=content)
            assert answer.json() == {"offset": (number + 1) * PIECE_BYTES}
            sent.update(content)
        return sent.hexdigest()

    def read(self) -> str:
        """The hash of it."""
        read = hashlib.sha256()
        answer = self._pool.request("GET", f"{self._url}/api/steps/{self._step}/log", preload_content=False)
        for content in answer.stream(PIECE_BYTES):
            read.update(content)
        answer.release_conn()
        return read.hexdigest()


def test_the_api_does_not_grow_with_a_log_that_comes_in_and_is_read(system: System) -> None:
    api = system.api(BUILDSERVER_LOG_LIMIT_BYTES="200 MiB")
    memory = Memory(int(api.lines("Booting worker")[0]["event"].split()[-1]))
    first = Log(system)
    first.send(WARM_UP)
    first.read()
    before = memory.begin()
    log = Log(system)
    sent = log.send(PIECES)
    assert log.read() == sent
    assert memory.most() - before < GROWTH_BYTES
