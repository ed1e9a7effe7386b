"""Applies what the engine decided: steps become ready or are skipped, and a build with no open step ends.

Called with the build's row locked. Every write is guarded on the status it was decided for; a guard that does not
hold here is a defect, and the transaction is given up.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from app.domain.audit import AuditAction
from app.domain.engine import Advance, Settlement, Waiting, advance, finish, start
from app.domain.errors import Conflict
from app.domain.transitions import BuildEvent, StepEvent, move, move_build
from app.domain.vocabulary import Reason, StepStatus
from app.models import Build, StepRun
from app.models.batches import batches
from app.models.hints import DISPATCH, hint
from app.services import region, steps
from app.services.trail import Trail

FURTHER = 8
"""How many steps are looked at for each one just skipped: 10,000 in a chain take six rounds."""
_STILL_WAITING = (
    update(StepRun)
    .where(StepRun.id == bindparam("step_id"), StepRun.status == StepStatus.PENDING)
    .values(waiting_on=bindparam("now_waiting_on"), worst=bindparam("now_worst"))
)
AUDIT_OF = {StepEvent.RELEASE: AuditAction.STEP_READY, StepEvent.SKIP: AuditAction.STEP_SKIPPED}


def begin(trail: Trail, build: Build) -> None:
    """Release the steps of a new build that wait for nothing; once planned, a build is not planned again."""
    if build.planned_at is not None:
        return
    build.planned_at = trail.now
    _spread(trail, build, start(region.roots(trail.session, build.id)))
    _end_if_done(trail, build)


def settle(trail: Trail, build: Build, run: StepRun, settlement: Settlement, reason: Reason | None) -> None:
    """A step run became final: its dependents are judged, and the build ends if nothing is left open.

    `reason` is why the step fails the build, if it does. The cost is that of the steps this changes.
    """
    if reason is not None and build.status_reason is None:
        build.status_reason = reason
    build.open_steps -= 1
    _spread(trail, build, _explore(trail.session, {run.id: settlement}, reach=0))
    _end_if_done(trail, build)


def change_build(trail: Trail, build: Build, event: BuildEvent) -> None:
    """Move the build, whose row is locked."""
    before, build.status = build.status, move_build(build.status, event)
    started = event is BuildEvent.START
    if started or build.started_at is None:
        build.started_at = trail.now
    if not started:
        build.finished_at = trail.now
    action = AuditAction.BUILD_STARTED if started else AuditAction.BUILD_FINISHED
    reason = None if started else build.status_reason
    trail.record(action, build.project_id, buildId=build.id, before=before, after=build.status, reason=reason)


def _end_if_done(trail: Trail, build: Build) -> None:
    if build.open_steps == 0:
        change_build(trail, build, finish(build.status_reason))


def _explore(session: Session, settled: Mapping[str, Settlement], reach: int) -> Advance:
    return advance(settled, region.below(session, settled, reach))


def _spread(trail: Trail, build: Build, outcome: Advance) -> None:
    """Write the outcome, and go on below skipped steps as long as the engine could not see what is there.

    How far it looks follows from how many steps were just skipped: so a long chain takes few rounds, and a skipped
    step whose dependents wait for others too costs no more than itself.
    """
    while True:
        _wait(trail.session, outcome.waiting)
        _release(trail, build, outcome.ready)
        _skip(trail, build, outcome.skipped)
        if not outcome.unexplored:
            return
        outcome = _explore(trail.session, outcome.unexplored, FURTHER * len(outcome.skipped))


def _wait(session: Session, waiting: Mapping[str, Waiting]) -> None:
    """One statement, sent once for all rows: each of them may have another number of steps left to wait for."""
    if not waiting:
        return
    rows = [
        {"step_id": step_id, "now_waiting_on": state.waiting_on, "now_worst": state.worst}
        for step_id, state in waiting.items()
    ]
    _require_all(steps.changed_rows(session.connection().execute(_STILL_WAITING, rows)), len(rows))


def _release(trail: Trail, build: Build, step_ids: Sequence[str]) -> None:
    if step_ids:
        times = {"ready_at": trail.now, "redispatch_at": trail.now}
        _move_pending(trail, build, step_ids, StepEvent.RELEASE, times)
        hint(trail.session, DISPATCH, build.id)


def _skip(trail: Trail, build: Build, skipped: Mapping[str, Reason]) -> None:
    for reason in sorted(set(skipped.values())):
        step_ids = [step_id for step_id, why in skipped.items() if why is reason]
        _move_pending(trail, build, step_ids, StepEvent.SKIP, {"reason": reason, "finished_at": trail.now})
    build.open_steps -= len(skipped)


def _move_pending(
    trail: Trail, build: Build, step_ids: Sequence[str], event: StepEvent, values: Mapping[str, Any]
) -> None:
    before, after = StepStatus.PENDING, move(StepStatus.PENDING, event)
    moved = _write_pending(trail.session, step_ids, {"status": after, "waiting_on": 0, **values})
    for step_id, name in moved:
        trail.record(
            AUDIT_OF[event],
            build.project_id,
            buildId=build.id,
            stepId=step_id,
            step=name,
            before=before,
            after=after,
            reason=values.get("reason"),
        )


def _write_pending(session: Session, step_ids: Sequence[str], values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write to PENDING steps, and return the id and name of each; Conflict where one is not PENDING any more."""
    written: list[tuple[str, str]] = []
    for batch in batches(step_ids):
        guarded = update(StepRun).where(StepRun.id.in_(batch), StepRun.status == StepStatus.PENDING).values(values)
        options = guarded.returning(StepRun.id, StepRun.name).execution_options(synchronize_session=False)
        written += [(row.id, row.name) for row in session.execute(options)]
    _require_all(len(written), len(step_ids))
    return written


def _require_all(written: int, wanted: int) -> None:
    if written != wanted:
        raise Conflict("steps of this build changed at the same moment", "changed_meanwhile")
