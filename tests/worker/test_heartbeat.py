"""A heartbeat that hangs does not take the lease with it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support.wait import eventually
from worker.api import ApiClient, Claim
from worker.clock import clock
from worker.heartbeat import Heart, fence_at
from worker.lease import Lease

LEASE_S = 20.0


class Silent:
    """Takes what it is sent and never says a word."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._asked: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def asked(self) -> int:
        return len(self._asked)

    def close(self) -> None:
        for each in (self._listener, *self._asked):
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._asked.append(self._listener.accept()[0])


@pytest.fixture
def silent() -> Iterator[Silent]:
    made = Silent()
    yield made
    made.close()


def test_a_heartbeat_that_hangs_is_followed_by_others_while_the_lease_lasts(silent: Silent) -> None:
    claim = Claim(step_id="s", build_id="b", attempt=1, lease_s=LEASE_S, timeout_s=60)
    lease = Lease(fence_at(LEASE_S, clock()))
    with Heart(ApiClient(silent.url, 2), claim, "r", lease, 0).beating(0.1):
        eventually(lambda: silent.asked >= 3 or lease.halted)
    assert lease.halted is None
