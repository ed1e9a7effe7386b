"""Loads the part of a build's graph that a settling step can change, for `app.domain.engine` to judge."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.engine import Region, Waiting
from app.domain.vocabulary import StepStatus
from app.models import StepEdge, StepRun
from app.models.batches import batches


def roots(session: Session, build_id: str) -> Region:
    """The steps of a new build that wait for nothing."""
    free = select(StepRun).where(
        StepRun.build_id == build_id, StepRun.status == StepStatus.PENDING, StepRun.waiting_on == 0
    )
    return Region(_waiting(session.scalars(free.order_by(StepRun.position)).all()), {})


def below(session: Session, step_ids: Collection[str], whole: bool) -> Region:
    """The dependents of the given steps; all that is below them, however far, where `whole` is true.

    One query per batch of steps for the dependents, one per batch and one recursive for all that is below.
    """
    known = set(step_ids)
    edges = _edges(session, sorted(known))
    if whole:
        known |= _closure(session, sorted({edge.downstream for edge in edges}))
        edges = _edges(session, sorted(known))
    dependents: dict[str, list[str]] = {step_id: [] for step_id in sorted(known)}
    for edge in edges:
        dependents[edge.upstream].append(edge.downstream)
    return Region(_load(session, sorted({edge.downstream for edge in edges})), dependents)


def _edges(session: Session, upstream: Sequence[str]) -> list[StepEdge]:
    found: list[StepEdge] = []
    for batch in batches(upstream):
        found += session.scalars(select(StepEdge).where(StepEdge.upstream.in_(batch)))
    return found


def _closure(session: Session, step_ids: Sequence[str]) -> set[str]:
    found = set(step_ids)
    for batch in batches(step_ids):
        reached = select(StepEdge.downstream).where(StepEdge.upstream.in_(batch)).cte(recursive=True)
        further = select(StepEdge.downstream).join(reached, StepEdge.upstream == reached.c.downstream)
        found |= set(session.scalars(select(reached.union(further).c.downstream)))
    return found


def _load(session: Session, step_ids: Sequence[str]) -> dict[str, Waiting]:
    waiting: dict[str, Waiting] = {}
    for batch in batches(step_ids):
        query = select(StepRun).where(StepRun.id.in_(batch)).execution_options(populate_existing=True)
        waiting.update(_waiting(session.scalars(query).all()))
    return waiting


def _waiting(runs: Sequence[StepRun]) -> dict[str, Waiting]:
    return {run.id: Waiting(run.waiting_on, run.worst, run.run_if) for run in runs}
