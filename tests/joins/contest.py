"""Joins whose siblings all end at the same moment, reported from several processes with many threads each."""

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

from sqlalchemy.exc import OperationalError

from app.domain.errors import Conflict
from app.models.database import Database
from app.services import completion, dispatching
from app.services.completion import Receipt, Report
from tests.integration.plant import SUCCESS, TIMES
from tests.integration.racing import at_once

PROCESSES = 2
PATIENCE_S = 120.0
"""For the slowest of the processes to come to a join; more means that one of them is dead."""
CLAIM_DEADLINE_S = 3_600.0
REPORTS = 10
"""Tries of one report."""


@dataclass(frozen=True)
class Join:
    """A build whose steps are a join and the siblings it depends on, which are READY."""

    build: str
    step: str
    siblings: tuple[str, ...]

    @property
    def width(self) -> int:
        return len(self.siblings)


@dataclass(frozen=True)
class Answer:
    """What one process saw of a join: how often it was told to send the step's message, and what was refused."""

    sent: int
    refused: tuple[str, ...]


class Contest:
    """The processes, which meet before every join and then report their shares of its siblings."""

    def __init__(self, lines: Sequence[Connection]) -> None:
        self._lines = lines

    def settle(self, joins: Sequence[Join]) -> list[list[Answer]]:
        """Have the joins contended for, one after the other; of each, the answers of all processes."""
        for number, line in enumerate(self._lines):
            line.send([(join, join.siblings[number :: len(self._lines)]) for join in joins])
        answers = [line.recv() for line in self._lines]
        return [list(of_join) for of_join in zip(*answers, strict=True)]


@contextmanager
def contest(url: str, widest: int, processes: int = PROCESSES) -> Iterator[Contest]:
    """Processes that work on the database until the block is left; none is forked, for none may share a connection."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    pairs = [context.Pipe() for _ in range(processes)]
    started = [
        context.Process(target=_contend_on, args=(url, -(-widest // processes), barrier, theirs), daemon=True)
        for _, theirs in pairs
    ]
    for process, (_, theirs) in zip(started, pairs, strict=True):
        process.start()
        theirs.close()  # so that a death is heard at once
    try:
        yield Contest([ours for ours, _ in pairs])
    finally:
        for ours, _ in pairs:
            ours.close()
        for process in started:
            process.join()


def _contend_on(url: str, threads: int, barrier: Barrier, line: Connection) -> None:
    """A process: until the line is closed, what it is sent is done and answered."""
    database = Database(url, pool_size=threads)
    while (shares := _heard(line)) is not None:
        line.send([_contend(database, barrier, join, siblings) for join, siblings in shares])
    database.dispose()


def _heard(line: Connection) -> list[tuple[Join, tuple[str, ...]]] | None:
    try:
        shares: list[tuple[Join, tuple[str, ...]]] = line.recv()
    except EOFError:
        return None
    return shares


def _contend(database: Database, barrier: Barrier, join: Join, siblings: Sequence[str]) -> Answer:
    """Report the siblings at once, and look for what to send, as an orchestrator does that got the hint."""
    barrier.wait(PATIENCE_S)
    answers = at_once([partial(_report, database, sibling) for sibling in siblings])
    sent = database.transact(dispatching.dispatch_build, join.build, CLAIM_DEADLINE_S)
    refused = tuple(str(answer) for answer in answers if isinstance(answer, Conflict))
    return Answer([dispatch.step_id for dispatch in sent].count(join.step), refused)


def _report(database: Database, step_id: str) -> Receipt:
    """Claim and end in one, which the contract allows: both change the build.

    What a loaded machine does not get done within the database's time limits is reported again, as runners do.
    """
    for left in range(REPORTS - 1, -1, -1):
        try:
            return database.transact(completion.complete, step_id, Report(SUCCESS), TIMES)
        except OperationalError:
            if not left:
                raise
    raise AssertionError("the last try returns or raises")
