"""Loads the part of a build's graph that a settling step can change, for `app.domain.engine` to judge."""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.domain.engine import Region, Settlement, Waiting
from app.domain.vocabulary import RunIf, StepStatus
from app.models import StepEdge, StepRun
from app.models.batches import batches

_WAITING = select(StepRun.id, StepRun.waiting_on, StepRun.worst, StepRun.run_if)

_BY_INDEX = select(*(func.set_config(f"enable_{way}", "off", True) for way in ("hashjoin", "mergejoin", "seqscan")))
"""Until the transaction ends, rows are found through indexes. PostgreSQL has no statistics of a new build's rows, and
reads the whole table of edges at each level of a recursive query: over 10 s for 10,000 levels, in place of one."""


def roots(session: Session, build_id: str) -> Region:
    """The steps of a new build that wait for nothing."""
    free = _WAITING.where(StepRun.build_id == build_id, StepRun.status == StepStatus.PENDING, StepRun.waiting_on == 0)
    return Region(_waiting(session, free.order_by(StepRun.position)), {})


def below(session: Session, step_ids: Collection[str], reach: int) -> Region:
    """The dependents of the given steps, and of about `reach` steps that come after these, the nearest first.

    A few queries per batch of steps: the cost is that of the edges of as many steps as these.
    """
    known = sorted(step_ids)
    if reach:
        known = sorted({*known, *_nearest(session, known, reach)})
    dependents: dict[str, list[str]] = {step_id: [] for step_id in known}
    for upstream, downstream in _edges(session, known):
        dependents[upstream].append(downstream)
    return Region(_load(session, sorted(set(chain.from_iterable(dependents.values())))), dependents)


def _edges(session: Session, upstream: Sequence[str]) -> Iterator[tuple[str, str]]:
    for batch in batches(upstream):
        query = select(StepEdge.upstream, StepEdge.downstream).where(StepEdge.upstream.in_(batch))
        yield from session.execute(query)


def _nearest(session: Session, step_ids: Sequence[str], reach: int) -> Iterator[str]:
    """Both databases walk a recursive query breadth first, and no further than its LIMIT is asked for."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_BY_INDEX)
    for batch in batches(step_ids):
        reached = select(StepEdge.downstream).where(StepEdge.upstream.in_(batch)).cte(recursive=True)
        further = select(StepEdge.downstream).join(reached, StepEdge.upstream == reached.c.downstream)
        yield from session.scalars(select(reached.union(further).c.downstream).limit(reach))


def _load(session: Session, step_ids: Sequence[str]) -> dict[str, Waiting]:
    waiting: dict[str, Waiting] = {}
    for batch in batches(step_ids):
        waiting.update(_waiting(session, _WAITING.where(StepRun.id.in_(batch))))
    return waiting


def _waiting(session: Session, query: Select[str, int, Settlement, RunIf]) -> dict[str, Waiting]:
    return {row.id: Waiting(row.waiting_on, row.worst, row.run_if) for row in session.execute(query)}
