"""Keeps an attempt's lease alive while it runs, and passes on what the server thinks of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from worker.api import ApiClient, NotFound, Refused, Unreachable
from worker.clock import clock
from worker.lease import Halt, Lease

log = structlog.get_logger(__name__)

FENCE_MARGIN_S = 5.0
"""The processes are gone this long before the server may start the next attempt."""


def fence_after(lease_s: float) -> float:
    """From now, by the runner's clock: when an attempt that is not extended again must begin to end."""
    return clock() + max(lease_s - FENCE_MARGIN_S, lease_s / 2)


@contextmanager
def heartbeats(
    client: ApiClient, step_id: str, runner: str, attempt: int, lease: Lease, interval_s: float, grace_s: float
) -> Iterator[None]:
    """While inside, the lease is extended every `interval_s`."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(interval_s) and not lease.halted:
            _beat(client, step_id, runner, attempt, lease, grace_s)

    thread = threading.Thread(target=beat, name=f"heartbeat {step_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _beat(client: ApiClient, step_id: str, runner: str, attempt: int, lease: Lease, grace_s: float) -> None:
    try:
        answer = client.heartbeat(step_id, runner, attempt)
    except Unreachable as error:
        log.warning("heartbeat not heard", step=step_id, attempt=attempt, error=str(error))
        return
    except (Refused, NotFound) as error:
        log.info("attempt is not ours any more", step=step_id, attempt=attempt, error=str(error))
        lease.halt(Halt.REVOKED, 0)
        return
    if answer.get("cancel"):
        lease.halt(Halt.CANCELLED, grace_s)
    else:
        lease.extend(fence_after(answer["leaseSeconds"]))
