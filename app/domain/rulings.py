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


class Claimed(Protocol):
    """An attempt that somebody claimed, under a key of their own or none."""

    @property
    def claim_key(self) -> str | None: ...


class Told(Protocol):
    """How an attempt went; without a reason it succeeded."""

    @property
    def reason(self) -> Reason | None: ...
    @property
    def exit_code(self) -> int | None: ...
    @property
    def handed_back(self) -> bool: ...


class Ended(Told, Protocol):
    """An attempt that is over."""

    @property
    def number(self) -> int: ...
    @property
    def status(self) -> AttemptStatus: ...


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


def allow_repetition(attempt: Ended, told: Told) -> None:
    """A report about an attempt that is over must say what was said first; of exit statuses, where both say one."""
    status = AttemptStatus.FAILED if told.reason else AttemptStatus.SUCCESS
    first, again = (attempt.status, attempt.reason, attempt.handed_back), (status, told.reason, told.handed_back)
    exits = {told.exit_code, attempt.exit_code} - {None}
    if first != again or len(exits) > 1:
        raise Conflict(f"attempt {attempt.number} has already ended: {_how(attempt)}", "already_ended")


def _how(attempt: Ended) -> str:
    """As people read it: FAILED (exit) with exit status 3."""
    why = "handed back" if attempt.handed_back else attempt.reason
    exited = "" if attempt.exit_code is None else f" with exit status {attempt.exit_code}"
    return attempt.status + (f" ({why})" if why else "") + exited


def allow_report_under(key: str | None, attempt: Claimed | None, is_numbered: bool) -> None:
    """A report that names a claim's key is about the attempt which that claim got, and no other.

    One that nobody has claimed yet it may end where it names its number: so the claim, if it is still on its way, finds
    that it comes too late.
    """
    is_its_own = is_numbered if attempt is None else attempt.claim_key == key
    if key is not None and not is_its_own:
        raise Conflict("no attempt was claimed under this key", "not_claimed")


def overdue(now: datetime, attempt: Running, lease_s: float) -> Reason | None:
    """Why a running attempt is ended without its runner, if it is: its time limit is over, or its lease.

    Of a runner that sends heartbeats the limit counts once it has been heard of after that; it may have died before.
    """
    heard_at = attempt.lease_expires_at - timedelta(seconds=lease_s) if attempt.heartbeats else attempt.deadline_at
    if attempt.deadline_at < now and attempt.deadline_at <= heard_at:
        return Reason.TIMEOUT
    return Reason.LOST if attempt.lease_expires_at < now else None
