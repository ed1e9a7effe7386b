"""A runner's report: the end of an attempt, what depends on it and the build's status, in one transaction."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.domain.audit import AuditAction
from app.domain.errors import Conflict
from app.domain.vocabulary import AttemptStatus, StepStatus
from app.models import Attempt, StepRun
from app.services import endings, leases, logs, steps
from app.services.endings import Outcome
from app.services.trail import Trail


@dataclass(frozen=True)
class Report:
    """What a runner says. Without an attempt's number it means the current one; `log` is added to what was streamed.

    `log_limit_bytes` is the server's setting: how long an attempt's log may become.
    """

    outcome: Outcome
    attempt: int | None = None
    log: bytes = b""
    log_limit_bytes: int | None = None


@dataclass(frozen=True)
class Receipt:
    """The step run's status after the report, and whether its build is over."""

    status: StepStatus
    build_complete: bool


def complete(session: Session, step_id: str, report: Report, times: leases.LeaseTimes) -> Receipt:
    """Take a report. The same one again changes nothing and gets the same kind of answer.

    A step nobody claimed may be reported by a runner that knows only the contract: that is claim and end in one.
    NotFound; Conflict for a contradiction, a stale attempt, open dependencies, or a step run that is final.
    """
    build, run = steps.lock(session, step_id)
    number = report.attempt or run.attempt
    attempt = steps.lock_attempt(session, run, number)
    if attempt is not None and attempt.finished_at is not None:
        _refuse_contradiction(attempt, report.outcome)
        return Receipt(run.status, build.status.is_final)
    _refuse_unless_open(run, number)
    with Trail(session, actor=run.runner or "runner") as trail:
        live = attempt or leases.take(trail, build, run, leases.Claimant(), times)
        if report.log:
            session.flush()
            logs.append_at_end(session, live, report.log, report.log_limit_bytes)
        endings.end(trail, build, run, live, report.outcome, AuditAction.STEP_COMPLETED)
    return Receipt(run.status, build.status.is_final)


def _refuse_contradiction(attempt: Attempt, outcome: Outcome) -> None:
    status = AttemptStatus.SUCCESS if outcome.succeeded else AttemptStatus.FAILED
    if attempt.status is not status or attempt.reason is not outcome.reason:
        because = f" ({attempt.reason})" if attempt.reason else ""
        raise Conflict(f"attempt {attempt.number} has already ended: {attempt.status}{because}", "already_ended")


def _refuse_unless_open(run: StepRun, number: int) -> None:
    if number != run.attempt:
        raise Conflict(f"attempt {number} is not the current one; that is attempt {run.attempt}", "stale_attempt")
    if run.status is StepStatus.PENDING:
        raise Conflict(f"step '{run.name}' waits for steps it depends on", "dependencies_open")
    if run.status.is_final:
        raise Conflict(f"step '{run.name}' has ended: {run.status}", "already_final")
