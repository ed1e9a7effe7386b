"""How an attempt ends, whoever says so: the runner in its report, or the sweep when the runner is not heard of."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.audit import AuditAction
from app.domain.definition import StepDefinition
from app.domain.engine import Settlement, settlement_of
from app.domain.retry import Tally, event_after, pause_s
from app.domain.transitions import StepEvent
from app.domain.vocabulary import AttemptStatus, Reason, StepStatus
from app.models import Attempt, Build, StepRun
from app.models.hints import DISPATCH, hint
from app.services import progress, steps
from app.services.trail import Trail


@dataclass(frozen=True)
class Outcome:
    """How an attempt went. A failure has a reason, a success has none.

    `handed_back`: lost for no fault of the step's, as its runner stops or cannot reach the server.
    """

    succeeded: bool
    reason: Reason | None = None
    exit_code: int | None = None
    handed_back: bool = False


def end(trail: Trail, build: Build, run: StepRun, attempt: Attempt, outcome: Outcome, action: AuditAction) -> None:
    """End a live attempt of a RUNNING step whose build is locked: it succeeds, fails, or the next attempt may start."""
    attempt.status = AttemptStatus.SUCCESS if outcome.succeeded else AttemptStatus.FAILED
    attempt.reason, attempt.exit_code, attempt.finished_at = outcome.reason, outcome.exit_code, trail.now
    attempt.handed_back = outcome.handed_back
    tally = _tally(trail.session, run, outcome)
    event = event_after(outcome.reason, StepDefinition.from_posted(run.definition).retries, tally)
    before = run.status
    if event is StepEvent.RETRY:
        blamed = None if outcome.handed_back else outcome.reason
        _retry(trail, run, pause_s(blamed, tally))
        hint(trail.session, DISPATCH, build.id)
    else:
        final = {"reason": outcome.reason, "exit_code": outcome.exit_code, "finished_at": trail.now}
        steps.change(trail.session, run, event, **final)
    record(trail, action, run, before, attempt=attempt.number, reason=outcome.reason, exitCode=outcome.exit_code)
    if run.status.is_final:
        settlement = settlement_of(run.status, run.allow_failure)
        progress.settle(trail, build, run, settlement, None if settlement is Settlement.PASSED else outcome.reason)


def record(trail: Trail, action: AuditAction, run: StepRun, before: StepStatus, **details: Any) -> None:
    """One audit entry for a move of a step run."""
    about = {"buildId": run.build_id, "stepId": run.id, "step": run.name, "attempt": run.attempt}
    trail.record(action, run.project_id, **{**about, "before": before, "after": run.status, **details})


def _tally(session: Session, run: StepRun, outcome: Outcome) -> Tally:
    """Of all its attempts, this one included; where it is the first, without a look at the rows."""
    if outcome.succeeded or run.attempt == 1:
        return Tally.of([(outcome.reason, outcome.handed_back)])
    session.flush()
    ends = session.execute(select(Attempt.reason, Attempt.handed_back).where(Attempt.step_run_id == run.id))
    return Tally.of((reason, handed_back) for reason, handed_back in ends)


def _retry(trail: Trail, run: StepRun, pause_s: float) -> None:
    """The next attempt is as ready as the first one was, once its pause is over: the sweep sends it then."""
    ready_at = trail.now + timedelta(seconds=pause_s)
    steps.change(
        trail.session,
        run,
        StepEvent.RETRY,
        attempt=run.attempt + 1,
        runner=None,
        started_at=None,
        ready_at=ready_at,
        dispatched_at=None,
        redispatch_at=ready_at,
        dispatches=0,
    )
