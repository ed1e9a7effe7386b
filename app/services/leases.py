"""Claims and leases: a runner takes an attempt, keeps it by heartbeats, and loses it when they stop."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from app.domain import rulings
from app.domain.audit import AuditAction
from app.domain.definition import StepDefinition
from app.domain.errors import Conflict, NotFound
from app.domain.transitions import BuildEvent, StepEvent
from app.domain.vocabulary import AttemptStatus, BuildStatus, StepStatus
from app.models import Attempt, Build, StepRun
from app.models.clock import database_now
from app.services import endings, presence, progress, steps
from app.services.trail import Trail

REPORT_GRACE_S = 15.0
"""After a step's time limit the runner gets this long to kill what runs and to report it."""
SWEEP_LIMIT = 100


@dataclass(frozen=True)
class LeaseTimes:
    """The server's settings: how long a heartbeat is good for, and the time limit of a step that names none."""

    lease_s: float
    step_timeout_s: int


@dataclass(frozen=True)
class Claimant:
    """Who asks for an attempt. The key is new for every claim and the same when one is repeated, its answer lost."""

    runner: str | None = None
    key: str | None = None
    heartbeats: bool = False


@dataclass(frozen=True)
class Claim:
    """What a runner gets: the step run, its attempt, how long the lease lasts and how long the step may take."""

    run: StepRun
    attempt: int
    lease_s: float
    timeout_s: int


def claim(session: Session, step_id: str, claimant: Claimant, attempt: int | None, times: LeaseTimes) -> Claim:
    """Take the current attempt of a READY step. A claim repeated with its key gets the same answer, its times anew.

    The runner's name is no key: two messages for one attempt may reach the same runner, and only one may run it.
    A runner that sends no heartbeats holds its lease for the step's time limit. Conflict where it cannot be had.
    """
    build, run = steps.lock(session, step_id)
    timeout_s = _timeout_s(run, times)
    lease_s = _lease_s(claimant, timeout_s, times)
    held = _held(session, run, claimant, attempt)
    if held:
        return Claim(run, run.attempt, _renew(session, held, lease_s, timeout_s), timeout_s)
    rulings.allow_claim(run, attempt)
    with Trail(session, actor=claimant.runner or "runner") as trail:
        take(trail, build, run, claimant, times)
    return Claim(run, run.attempt, lease_s, timeout_s)


def _renew(session: Session, held: Attempt, lease_s: float, timeout_s: int) -> float:
    """How much longer the lease of a repeated claim lasts. For one lease its times begin anew, and then no more: who
    asks for longer, and hears no answer, would keep the attempt from others for ever."""
    now, lease = database_now(session), timedelta(seconds=lease_s)
    if now <= held.started_at + lease:
        held.lease_expires_at, held.deadline_at = now + lease, _deadline(now, timeout_s)
    elif now >= held.lease_expires_at:
        raise Conflict(f"the lease on attempt {held.number} is over", "lease_over")
    return (held.lease_expires_at - now).total_seconds()


def take(trail: Trail, build: Build, run: StepRun, claimant: Claimant, times: LeaseTimes) -> Attempt:
    """The claim itself, on a READY step of a locked build: a live attempt, step and build RUNNING."""
    before, runner, timeout_s = run.status, claimant.runner, _timeout_s(run, times)
    attempt = Attempt(
        step_run_id=run.id,
        number=run.attempt,
        status=AttemptStatus.RUNNING,
        runner=runner,
        claim_key=claimant.key,
        heartbeats=claimant.heartbeats,
        lease_expires_at=trail.now + timedelta(seconds=_lease_s(claimant, timeout_s, times)),
        deadline_at=_deadline(trail.now, timeout_s),
        started_at=trail.now,
    )
    trail.session.add(attempt)
    steps.change(
        trail.session, run, StepEvent.CLAIM, runner=runner, started_at=trail.now, finished_at=None, exit_code=None
    )
    endings.record(trail, AuditAction.STEP_CLAIMED, run, before, runner=runner)
    if build.status is BuildStatus.PENDING:
        progress.change_build(trail, build, BuildEvent.START)
    return attempt


def extend(session: Session, step_id: str, runner: str, attempt: int, lease_s: float, has_ended: bool = False) -> None:
    """A heartbeat: the lease lasts `lease_s` from now. Conflict where the attempt is not this runner's any more.

    `has_ended`: the step has, within its time limit, which counts no more. Its log or report is on the way, and takes
    as long as it takes.
    """
    until = database_now(session) + timedelta(seconds=lease_s)
    held = (
        Attempt.step_run_id == step_id,
        Attempt.number == attempt,
        Attempt.runner == runner,
        Attempt.finished_at.is_(None),
    )
    times = {"lease_expires_at": until, **({"deadline_at": until} if has_ended else {})}
    result = session.execute(update(Attempt).where(*held).values(heartbeats=True, **times))
    if steps.changed_rows(result) != 1:
        steps.get(session, step_id)
        raise Conflict(f"attempt {attempt} is not held by runner '{runner}'; stop working on it", "not_held")


def overdue(session: Session, lease_s: float) -> Sequence[tuple[str, int]]:
    """Live attempts whose lease or time limit is over, by the database's clock; the longest overdue first.

    None while their runners could not be heard: `app.services.presence`.
    """
    if not presence.allows_verdicts(session, lease_s):
        return []
    now = database_now(session)
    late = or_(Attempt.lease_expires_at < now, Attempt.deadline_at < now)
    query = select(Attempt).where(Attempt.finished_at.is_(None), late)
    found = session.scalars(query.order_by(Attempt.lease_expires_at).limit(SWEEP_LIMIT))
    return [(each.step_run_id, each.number) for each in found if rulings.overdue(now, each, lease_s)]


def expire(session: Session, step_id: str, number: int, lease_s: float) -> Build:
    """End an attempt that is overdue; one that ended or was extended meanwhile is left alone. Returns its build."""
    build, run = steps.lock(session, step_id)
    attempt = steps.lock_attempt(session, run, number)
    if attempt is None:
        raise NotFound("Attempt")
    with Trail(session, actor="sweep") as trail:
        reason = rulings.overdue(trail.now, attempt, lease_s) if attempt.finished_at is None else None
        if reason:
            endings.end(trail, build, run, attempt, endings.Outcome(False, reason), AuditAction.STEP_EXPIRED)
    return build


def _timeout_s(run: StepRun, times: LeaseTimes) -> int:
    return StepDefinition.from_posted(run.definition).timeout_s or times.step_timeout_s


def _deadline(now: datetime, timeout_s: int) -> datetime:
    return now + timedelta(seconds=timeout_s + REPORT_GRACE_S)


def _lease_s(claimant: Claimant, timeout_s: int, times: LeaseTimes) -> float:
    return times.lease_s if claimant.heartbeats else timeout_s + REPORT_GRACE_S


def _held(session: Session, run: StepRun, claimant: Claimant, attempt: int | None) -> Attempt | None:
    """The running attempt, if this is the very claim that got it, its first answer having been lost."""
    if run.status is not StepStatus.RUNNING or claimant.key is None or attempt not in (None, run.attempt):
        return None
    live = steps.lock_attempt(session, run, run.attempt)
    return live if live and (live.runner, live.claim_key) == (claimant.runner, claimant.key) else None
