"""Lays out joins, has them contended for, and counts those that were missed and those that were taken twice.

The rows, the audit log and the messages must agree: the join is READY, has become so once, and is sent once.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.audit import AuditAction
from app.domain.vocabulary import StepStatus
from app.models import AuditEntry, Build, StepRun
from app.models.base import new_id
from app.models.database import Database
from app.services import builds
from app.services.builds import BuildRequest
from tests.integration.plant import Plant
from tests.joins.contest import Answer, Contest, Join, contest

NARROWEST, WIDEST = 2, 64
BATCH = 50
"""Joins that are laid out together, and judged together."""


@dataclass
class Count:
    """What came of the joins so far."""

    joins: int = 0
    siblings: int = 0
    missed: int = 0
    doubled: int = 0
    refused: int = 0
    widths: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, join: Join, answers: Sequence[Answer], seen: "Seen") -> None:
        sent = sum(answer.sent for answer in answers)
        refused = [line for answer in answers for line in answer.refused]
        missed = not seen.is_ready or not seen.entries or not sent
        doubled = seen.entries > 1 or sent > 1
        self.joins, self.siblings = self.joins + 1, self.siblings + join.width
        self.widths[join.width] += 1
        self.missed, self.doubled = self.missed + missed, self.doubled + doubled
        self.refused += len(refused)
        if missed or doubled or refused:
            self.wrong.append(f"join {join.step} of {join.width}: {seen}, sent {sent} times, refused {refused}")


@dataclass(frozen=True)
class Seen:
    """A join as the rows and the audit log have it: whether it is READY with all else ended, and how often it became
    so."""

    is_ready: bool
    entries: int


def count(url: str, joins: int, seed: int = 1, widest: int = WIDEST) -> Iterator[Count]:
    """Contend for so many joins in a database of its own; the count so far after every batch."""
    database, so_far = Database(url), Count()
    layout = Layout(database, widths(joins, random.Random(seed), widest))
    with contest(url, widest) as opened:
        while batch := layout.next():
            _settle(database, opened, batch, so_far)
            yield so_far
    database.dispose()


def widths(joins: int, chance: random.Random, widest: int = WIDEST) -> Iterator[int]:
    """Each width in proportion to one over its square, so that every doubling costs the same: one join in forty is 32
    wide or wider. The widest is always among them."""
    possible = range(NARROWEST, widest + 1)
    yield from [widest, *chance.choices(possible, [1 / width**2 for width in possible], k=joins - 1)]


class Layout:
    """Builds with one join each, in a project of their own."""

    def __init__(self, database: Database, widths: Iterator[int]) -> None:
        self._plant = Plant(database)
        self._widths = widths
        self._workflows: dict[int, str] = {}

    def next(self) -> list[Join]:
        """The next builds, planned; none when all were laid out."""
        return [self._lay_out(width) for _, width in zip(range(BATCH), self._widths, strict=False)]

    def _lay_out(self, width: int) -> Join:
        database, project = self._plant.database, self._plant.project
        build = database.transact(builds.create, project, BuildRequest(self._workflow(width))).id
        self._plant.plan(build)
        ids = self._plant.ids(build).steps
        return Join(build, ids["join"], tuple(step_id for name, step_id in ids.items() if name != "join"))

    def _workflow(self, width: int) -> str:
        if width not in self._workflows:
            siblings = [str(number) for number in range(width)]
            self._workflows[width] = self._plant.workflow({**{name: [] for name in siblings}, "join": siblings})
        return self._workflows[width]


def _settle(database: Database, opened: Contest, batch: Sequence[Join], so_far: Count) -> None:
    before = new_id()
    answers = opened.settle(batch)
    seen = database.read(_look, batch, before)
    for join, of_join in zip(batch, answers, strict=True):
        so_far.add(join, of_join, seen[join.step])


def _look(session: Session, batch: Sequence[Join], before: str) -> dict[str, Seen]:
    ready = _ready(session, batch)
    entries = _entries(session, before)
    return {join.step: Seen(join.step in ready, entries[join.step]) for join in batch}


def _ready(session: Session, batch: Sequence[Join]) -> set[str]:
    """The joins that wait for a runner, for the first time, and are all that is left of their builds."""
    wanted = (StepRun.status == StepStatus.READY, StepRun.waiting_on == 0, StepRun.attempt == 1, Build.open_steps == 1)
    query = select(StepRun.id).join(Build, Build.id == StepRun.build_id).where(*wanted)
    return set(session.scalars(query.where(StepRun.id.in_([join.step for join in batch]))))


def _entries(session: Session, since: str) -> Counter[str]:
    """How often each step became READY since; ids of entries are in the order of their making."""
    query = select(AuditEntry.details).where(AuditEntry.id > since, AuditEntry.action == AuditAction.STEP_READY)
    return Counter(str(details["stepId"]) for details in session.scalars(query))
