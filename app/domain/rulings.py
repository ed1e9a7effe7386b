"""What may be done with an attempt: who may claim, report or lose one, as rows and messages stand.

A message or a report may be late, doubled or about an attempt that is over. Every ruling here either allows the act or
ends it with a Conflict that says why; the acts themselves are the services'.
"""

from datetime import datetime, timedelta
from typing import Protocol

from app.domain.errors import Conflict
from app.domain.vocabulary import AttemptStatus, Reason, StepStatus


class Step(Protocol):
    """What a ruling looks at: a step run's row, and the number of the attempt that runs or may start next."""

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> StepStatus: ...
    @property
    def attempt(self) -> int: ...
    @property
    def runner(self) -> str | None: ...


class Running(Protocol):
    """An attempt that is not over: until when it may go on unheard of, and until when at all."""

    @property
    def lease_expires_at(self) -> datetime: ...
    @property
    def deadline_at(self) -> datetime: ...
    @property
    def heartbeats(self) -> bool: ...


class Ended(Protocol):
    """An attempt that is over."""

    @property
    def number(self) -> int: ...
    @property
    def status(self) -> AttemptStatus: ...
    @property
    def reason(self) -> Reason | None: ...


def allow_claim(step: Step, attempt: int | None) -> None:
    """A claim of the attempt (None: whichever is current) needs a step that is READY for it."""
    allow_report(step, step.attempt if attempt is None else attempt)
    if step.status is StepStatus.RUNNING:
        raise Conflict(f"step run '{step.name}' is being run by runner '{step.runner}'", "already_claimed")


def allow_report(step: Step, attempt: int) -> None:
    """The end of an attempt needs a step that is READY or RUNNING with it; one that nobody claimed may be reported."""
    if attempt != step.attempt:
        raise Conflict(f"attempt {attempt} is not the current one; that is attempt {step.attempt}", "stale_attempt")
    if step.status is StepStatus.PENDING:
        raise Conflict(f"step run '{step.name}' waits for steps it depends on", "dependencies_open")
    if step.status.is_final:
        raise Conflict(f"step run '{step.name}' has ended: {step.status}", "already_final")


def allow_repetition(attempt: Ended, reason: Reason | None) -> None:
    """A report about an attempt that is over must say what was said first."""
    status = AttemptStatus.FAILED if reason else AttemptStatus.SUCCESS
    if attempt.status is not status or attempt.reason is not reason:
        because = f" ({attempt.reason})" if attempt.reason else ""
        raise Conflict(f"attempt {attempt.number} has already ended: {attempt.status}{because}", "already_ended")


def overdue(now: datetime, attempt: Running, lease_s: float) -> Reason | None:
    """Why a running attempt is ended without its runner, if it is: its time limit is over, or its lease.

    Of a runner that sends heartbeats the limit counts once it has been heard of after that; it may have died before.
    """
    heard_at = attempt.lease_expires_at - timedelta(seconds=lease_s) if attempt.heartbeats else attempt.deadline_at
    if attempt.deadline_at < now and attempt.deadline_at <= heard_at:
        return Reason.TIMEOUT
    return Reason.LOST if attempt.lease_expires_at < now else None
