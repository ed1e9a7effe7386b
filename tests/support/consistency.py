"""What must hold between the rows of a build at every moment, judged from the rows alone.

It knows neither the engine nor its counters: it looks at the whole graph, and counts again.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.domain.audit import AuditAction
from app.domain.engine import Settlement
from app.domain.vocabulary import AttemptStatus, BuildStatus, Reason, RunIf, StepStatus
from app.models import Attempt, AuditCount, AuditEntry, Build, LogChunk, StepEdge, StepRun

ENDED = (StepStatus.SUCCESS, StepStatus.FAILED)
WITHOUT_RUNNING = (StepStatus.PENDING, StepStatus.SKIPPED)


@dataclass(frozen=True)
class Rows:
    """A build's rows, all read in one transaction. Edges, attempts and audited moves are by the step run's id."""

    build: Build
    runs: Mapping[str, StepRun]
    needs: Mapping[str, Sequence[str]]
    attempts: Mapping[str, Sequence[Attempt]]
    audited: Counter[tuple[str | None, AuditAction]]
    chunks: Sequence[LogChunk]

    def log(self, attempt: Attempt) -> bytes:
        """What the attempt printed."""
        of_attempt = (attempt.step_run_id, attempt.number)
        return b"".join(each.content for each in self.chunks if (each.step_run_id, each.attempt) == of_attempt)


def rows_of(session: Session, build_id: str) -> Rows:
    """Everything there is of the build; one that is not there is a defect of the test."""
    build = session.get(Build, build_id)
    assert build is not None, f"no build {build_id}"
    of_build = select(StepRun.id).where(StepRun.build_id == build_id)
    runs = {run.id: run for run in session.scalars(select(StepRun).where(StepRun.build_id == build_id))}
    needs: dict[str, list[str]] = {step_id: [] for step_id in runs}
    for edge in session.scalars(select(StepEdge).where(StepEdge.build_id == build_id)):
        needs[edge.downstream].append(edge.upstream)
    attempts: dict[str, list[Attempt]] = {step_id: [] for step_id in runs}
    of_steps = select(Attempt).where(Attempt.step_run_id.in_(of_build)).order_by(Attempt.number)
    for attempt in session.scalars(of_steps):
        attempts[attempt.step_run_id].append(attempt)
    chunks = session.scalars(select(LogChunk).where(LogChunk.step_run_id.in_(of_build)).order_by(LogChunk.start)).all()
    return Rows(build, runs, needs, attempts, _audited(session, build_id), chunks)


def broken(rows: Rows) -> list[str]:
    """Each promise that the rows break, in words."""
    return [*_counters(rows), *_attempts(rows), *_readiness(rows), *_build(rows), *_audit(rows)]


def miscounted(session: Session) -> list[str]:
    """Kinds of audit entries whose counts do not agree with the entries, over the whole database."""
    entries = select(AuditEntry.action, func.count()).group_by(AuditEntry.action)
    counts = select(AuditCount.action, func.sum(AuditCount.entries)).group_by(AuditCount.action)
    there = {action: int(number) for action, number in session.execute(entries).all()}
    counted = {action: int(number) for action, number in session.execute(counts).all()}
    return [] if there == counted else [f"audit entries {there}, and counted {counted}"]


def _audited(session: Session, build_id: str) -> Counter[tuple[str | None, AuditAction]]:
    """Ids are in the order of creation, and the build's own is the first."""
    of_build = (AuditEntry.id > build_id, AuditEntry.details["buildId"].as_string() == build_id)
    entries = session.scalars(select(AuditEntry).where(*of_build))
    return Counter((entry.details.get("stepId"), entry.action) for entry in entries)


def _counters(rows: Rows) -> Iterator[str]:
    open_steps = sum(not run.status.is_final for run in rows.runs.values())
    if rows.build.open_steps != open_steps:
        yield f"{open_steps} steps are open, and counted {rows.build.open_steps}"
    for step_id, run in rows.runs.items():
        waits_for = sum(not rows.runs[needed].status.is_final for needed in rows.needs[step_id])
        if run.waiting_on != waits_for:
            yield f"{run.name} waits for {waits_for} steps, and counted {run.waiting_on}"


def _attempts(rows: Rows) -> Iterator[str]:
    for step_id, run in rows.runs.items():
        attempts = rows.attempts[step_id]
        numbers = [attempt.number for attempt in attempts]
        begun = run.attempt if run.status in (*ENDED, StepStatus.RUNNING) else run.attempt - 1
        if numbers != list(range(1, begun + 1)):
            yield f"{run.name} is {run.status} with attempt {run.attempt}, and has attempts {numbers}"
        live = [attempt.number for attempt in attempts if attempt.finished_at is None]
        if live != ([run.attempt] if run.status is StepStatus.RUNNING else []):
            yield f"{run.name} is {run.status} with attempt {run.attempt}, and live are {live}"
        yield from _results(run, attempts)


def _results(run: StepRun, attempts: Sequence[Attempt]) -> Iterator[str]:
    """All attempts but the newest have failed, and the newest one's result is that of the step."""
    if any(attempt.status is not AttemptStatus.FAILED for attempt in attempts[:-1]):
        yield f"{run.name} was tried again after {[str(attempt.status) for attempt in attempts]}"
    if run.status in ENDED and attempts:
        newest = attempts[-1]
        if (str(newest.status), newest.reason) != (str(run.status), run.reason):
            yield f"{run.name} ended {run.status} ({run.reason}), its attempt {newest.status} ({newest.reason})"
    elif any(attempt.status is AttemptStatus.SUCCESS for attempt in attempts):
        yield f"{run.name} is {run.status} and has a result"


def _readiness(rows: Rows) -> Iterator[str]:
    """By the meaning of the words: what every step's status must be, from how those before it ended."""
    meant: dict[str, Settlement | None] = {}
    for step_id in TopologicalSorter(rows.needs).static_order():
        run = rows.runs[step_id]
        before = [meant[needed] for needed in rows.needs[step_id]]
        settled = {settlement for settlement in before if settlement}
        if rows.build.planned_at is None or not all(before):
            fits = run.status is StepStatus.PENDING
        elif expected := _skipped(run.run_if, settled):
            fits = run.status is StepStatus.SKIPPED and run.reason is expected
        else:
            fits = run.status not in WITHOUT_RUNNING
        if not fits:
            yield f"{run.name} is {run.status} ({run.reason}) after {[str(each) for each in before]}"
        meant[step_id] = _meaning(run)


def _skipped(condition: RunIf, settled: set[Settlement]) -> Reason | None:
    """Why a step that waits for nothing more does not run; None where it does."""
    failed, clean = Settlement.FAILED in settled, settled <= {Settlement.PASSED}
    if {RunIf.SUCCESS: clean, RunIf.FAILURE: failed, RunIf.ALWAYS: True}[condition]:
        return None
    return Reason.DEPENDENCY if condition is RunIf.SUCCESS and failed else Reason.CONDITION


def _meaning(run: StepRun) -> Settlement | None:
    """What the step's end means for others; None while it is open."""
    if not run.status.is_final:
        return None
    if run.status is StepStatus.SUCCESS or (run.status is StepStatus.FAILED and run.allow_failure):
        return Settlement.PASSED
    return Settlement.OMITTED if run.reason is Reason.CONDITION else Settlement.FAILED


def _build(rows: Rows) -> Iterator[str]:
    """The build's status follows from its steps."""
    build, runs = rows.build, rows.runs.values()
    failures = {run.reason for run in runs if run.status is StepStatus.FAILED and not run.allow_failure}
    if all(run.status.is_final for run in runs):
        expected = BuildStatus.FAILED if failures else BuildStatus.SUCCESS
    else:
        expected = BuildStatus.RUNNING if any(rows.attempts.values()) else BuildStatus.PENDING
    if build.status is not expected:
        yield f"the build is {build.status}, and its steps make it {expected}"
    if build.status_reason not in (failures or {None}):
        yield f"the build names {build.status_reason}, and its steps failed for {failures}"


def _audit(rows: Rows) -> Iterator[str]:
    """One entry for every move. How an attempt ended, reported or swept, the rows do not say; that it did, they do."""
    for step_id, run in rows.runs.items():
        ended = sum(attempt.finished_at is not None for attempt in rows.attempts[step_id])
        told = {action: rows.audited[step_id, action] for action in AuditAction}
        moves = {
            AuditAction.STEP_READY: int(run.status not in WITHOUT_RUNNING),
            AuditAction.STEP_SKIPPED: int(run.status is StepStatus.SKIPPED),
            AuditAction.STEP_CLAIMED: len(rows.attempts[step_id]),
            AuditAction.STEP_COMPLETED: ended - told[AuditAction.STEP_EXPIRED],
        }
        yield from (
            f"{run.name}: {told[move]} of {move}, not {moves[move]}" for move in moves if told[move] != moves[move]
        )
    of_build = {
        AuditAction.BUILD_CREATED: 1,
        AuditAction.BUILD_STARTED: int(any(rows.attempts.values())),
        AuditAction.BUILD_FINISHED: int(rows.build.status.is_final),
    }
    for action, wanted in of_build.items():
        if rows.audited[None, action] != wanted:
            yield f"{rows.audited[None, action]} of {action}, not {wanted}"
