"""When an attempt that is not extended begins to end."""

import pytest

from worker.api import Claim
from worker.clock import clock
from worker.heartbeat import FENCE_MARGIN_S, Heart, fence_at
from worker.lease import Halt, Lease

LEASE_S = 30.0


def test_the_fence_leaves_a_margin_before_the_lease_ends() -> None:
    assert fence_at(30, asked_at=100) == 130 - FENCE_MARGIN_S


@pytest.mark.parametrize("lease_s", [0.1, 1, FENCE_MARGIN_S])
def test_a_lease_shorter_than_the_margin_is_used_by_half(lease_s: float) -> None:
    assert fence_at(lease_s, asked_at=100) == 100 + lease_s / 2


class Slow:
    """A server whose answer takes so long that a whole lease passes meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = clock()
        monkeypatch.setattr("worker.heartbeat.clock", lambda: self.now)

    def heartbeat(self, *_: object) -> float:
        self.now += LEASE_S
        return LEASE_S


def test_a_heartbeat_counts_from_when_it_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    lease, slow = Lease(clock() + 600), Slow(monkeypatch)
    claim = Claim("step", "build", 1, LEASE_S, 60)
    heart = Heart(slow, claim, "by-test", lease, 0)  # type: ignore[arg-type]  # all that a heart asks of it
    sent_at = slow.now
    heart._beat()
    assert lease._fence_at == fence_at(LEASE_S, sent_at)


class Fenced:
    """A command whose keeper ends it at the fence."""

    def fence(self, fence_at: float) -> None: ...


def test_a_heartbeat_that_is_answered_after_the_fence_does_not_hide_it() -> None:
    """The step's processes are dead then, and the server has to be told."""
    lease, running = Lease(clock()), Fenced()
    with lease.binds(running):  # type: ignore[arg-type]  # all that a lease tells a command
        lease.extend(clock() + 60)
        assert lease.halted is Halt.EXPIRED


def test_between_two_commands_an_answer_that_comes_late_is_in_time() -> None:
    lease = Lease(clock())
    lease.extend(clock() + 60)
    assert lease.halted is None
