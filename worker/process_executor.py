"""Runs a command as a local process tree, at arm's length: a keeper owns the tree, the executor owns the output.

For a machine that trusts its builds: the tree has its own session, environment and folder, but the runner's user.
The executor decides nothing: the lease tells the keeper when to end, the keeper tells how it ended.
"""

import os
import selectors
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum

from worker.clock import clock
from worker.keeper import Order
from worker.keeper_link import KeeperLink
from worker.lease import Lease
from worker.marked import end_marked
from worker.zygote_client import ZygoteClient

START_PATIENCE_S = 20.0  # a fork takes milliseconds; more means that the zygote was stopped
END_PATIENCE_S = 20.0  # beyond limit and grace; the keeper gives up killing after 10 s
CHUNK_BYTES = 65536
PIPE_READS = 16  # what a full pipe of the largest usual size (1 MiB) takes
SIGNALLED = 128  # a shell's way to say "killed by signal n" in an exit status


class Cause(StrEnum):
    """Who ended a command."""

    ITSELF = "itself"
    TIMEOUT = "timeout"
    HALT = "halt"  # the lease knows why
    KEEPER_LOST = "keeper lost"  # someone killed the keeper; whoever stood above it killed the rest
    NOT_FORKED = "not forked"  # the zygote died before the keeper had begun
    NOT_STARTED = "not started"  # no keeper could be forked in time


BY_KEEPER = (Cause.ITSELF, Cause.TIMEOUT, Cause.HALT)
"""A keeper that says how it ended has seen to it that nothing is left."""


@dataclass(frozen=True)
class Ending:
    """`exit_code` as a shell would show it, 128 + n for signal n; None when the command was ended from outside."""

    cause: Cause
    exit_code: int | None = None


class ProcessExecutor:
    """Thread-safe; one per process."""

    def __init__(self, zygote: ZygoteClient) -> None:
        self._zygote = zygote

    def execute(self, order: Order, lease: Lease, on_output: Callable[[bytes], None]) -> Ending:
        """Blocks until no process of the command is left, and every byte of its output has gone to `on_output`.

        A zygote that is just being killed may still take an order and never fork; nothing has begun then, so the next
        zygote gets the same order.
        """
        ending = self._execute(order, lease, on_output)
        return self._execute(order, lease, on_output) if ending.cause is Cause.NOT_FORKED else ending

    def _execute(self, order: Order, lease: Lease, on_output: Callable[[bytes], None]) -> Ending:
        output, theirs = os.pipe()
        with os.fdopen(output, "rb", buffering=0):
            try:
                link = self._zygote.fork_keeper(theirs)
            finally:
                os.close(theirs)
            with _ended_whole(link, order["mark"]), closing(link), _watching(link, output) as selector:
                link.order(order, lease.fence_at)
                with lease.binds(link):
                    self._follow(selector, link, order, on_output)
            _empty(output, on_output)
        return _ending(link)

    def _follow(
        self, selector: selectors.BaseSelector, link: KeeperLink, order: Order, on_output: Callable[[bytes], None]
    ) -> None:
        start_by = clock() + START_PATIENCE_S
        end_by = order["limit_at"] + order["grace_s"] + END_PATIENCE_S
        while not link.report:
            left = (end_by if link.started else start_by) - clock()
            if left <= 0:
                self._zygote.restart()
                return
            for key, _ in selector.select(left):
                if key.fileobj is link:
                    link.hear()
                elif not _read(key.fd, on_output):
                    selector.unregister(key.fd)  # closed by the command, which may go on


@contextmanager
def _watching(*sources: KeeperLink | int) -> Iterator[selectors.BaseSelector]:
    """What is to be read from, before anything is begun: there may be no room for it."""
    with selectors.DefaultSelector() as selector:
        for source in sources:
            selector.register(source, selectors.EVENT_READ)
        yield selector


@contextmanager
def _ended_whole(link: KeeperLink, mark: str) -> Iterator[None]:
    """Whatever happens inside, nothing of the command is left: without its keeper's word that is looked after here."""
    try:
        yield
    finally:
        if _ending(link).cause not in BY_KEEPER:
            end_marked([mark])


def _read(output: int, on_output: Callable[[bytes], None]) -> bool:
    chunk = os.read(output, CHUNK_BYTES)
    if chunk:
        on_output(chunk)
    return bool(chunk)


def _empty(output: int, on_output: Callable[[bytes], None]) -> None:
    """Takes what a finished tree left in the pipe, without waiting for a stranger who may hold its other end."""
    os.set_blocking(output, False)
    with suppress(BlockingIOError):
        for _ in range(PIPE_READS):
            if not _read(output, on_output):
                return


def _ending(link: KeeperLink) -> Ending:
    match link.report:
        case {"exit": int(status)}:
            return Ending(Cause.ITSELF, status)
        case {"signal": int(number)}:
            return Ending(Cause.ITSELF, SIGNALLED + number)
        case {"killed": "timeout"}:
            return Ending(Cause.TIMEOUT)
        case {"killed": "fence" | "stop"}:
            return Ending(Cause.HALT)
        case None:
            return Ending(Cause.KEEPER_LOST if link.started else Cause.NOT_STARTED)
        case _:
            return Ending(Cause.KEEPER_LOST if link.started else Cause.NOT_FORKED)
