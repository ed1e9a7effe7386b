"""A runner's report: the end of an attempt, what depends on it and the build's status, in one transaction."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.domain import rulings
from app.domain.audit import AuditAction
from app.domain.vocabulary import StepStatus
from app.models import Attempt, Build, StepRun
from app.services import endings, leases, logs, steps
from app.services.endings import Outcome
from app.services.trail import Trail


@dataclass(frozen=True)
class Report:
    """What a runner says. Without an attempt's number it means the current one; `log` is added to what was streamed.

    `key` is that of its claim, where it does not know whether it was heard: it gives back what it may have got.
    `log_limit_bytes` is the server's setting: how long an attempt's log may become.
    """

    outcome: Outcome
    attempt: int | None = None
    log: bytes = b""
    log_limit_bytes: int | None = None
    key: str | None = None


@dataclass(frozen=True)
class Receipt:
    """The step run's status after the report, and whether its build was over then."""

    status: StepStatus
    build_complete: bool


def complete(session: Session, step_id: str, report: Report, times: leases.LeaseTimes) -> Receipt:
    """Take a report. The same one again changes nothing and gets the same answer, whatever happened meanwhile.

    A step nobody claimed may be reported by a runner that knows only the contract: that is claim and end in one.
    NotFound; Conflict for a contradiction, a stale attempt, open dependencies, a step run that is final, or the key of
    a claim that got nothing.
    """
    build, run = steps.lock(session, step_id)
    number = report.attempt or run.attempt
    attempt = steps.lock_attempt(session, run, number)
    rulings.allow_report_under(report.key, attempt, is_numbered=report.attempt is not None)
    if attempt is not None and attempt.finished_at is not None:
        rulings.allow_repetition(attempt, report.outcome)
        return _receipt(build, run, attempt)
    rulings.allow_report(run, number)
    with Trail(session, actor=run.runner or "runner") as trail:
        live = attempt or leases.take(trail, build, run, leases.Claimant(key=report.key), times)
        if report.log:
            session.flush()
            logs.append_at_end(session, live, report.log, report.log_limit_bytes)
        endings.end(trail, build, run, live, report.outcome, AuditAction.STEP_COMPLETED)
    return _receipt(build, run, live)


def _receipt(build: Build, run: StepRun, attempt: Attempt) -> Receipt:
    """As things stood when the attempt ended: one that is not the last made the step run READY for the next, and what
    its end ended bears the same time."""
    status = run.status if attempt.number == run.attempt else StepStatus.READY
    return Receipt(status, build.finished_at == attempt.finished_at)
