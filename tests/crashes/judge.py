"""What is looked at right after a crash, and when the build has ended without whoever died."""

import base64
import json
from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.vocabulary import Reason, StepStatus
from app.models import Attempt, Build, StepRun
from tests.crashes.plan import Plan
from tests.crashes.player import printed
from tests.crashes.roles import Broker
from tests.support.consistency import Rows, broken, miscounted, rows_of


def after_crash(session: Session, broker: Broker, key: str) -> list[str]:
    """Whether what was committed is whole, and every message tells of something that was."""
    builds = session.scalars(select(Build).where(Build.idempotency_key == key)).all()
    halves = [wrong for build in builds for wrong in broken(rows_of(session, build.id))]
    return [*halves, *_untrue(session, broker)]


def at_end(session: Session, broker: Broker, build_id: str, key: str, plan: Plan, lost: int) -> list[str]:
    """Whether the build ended as its plan says, with at most `lost` attempts more than there are without a crash."""
    rows = rows_of(session, build_id)
    ids = session.scalars(select(Build.id).where(Build.idempotency_key == key)).all()
    wrong = [] if ids == [build_id] else [f"the key stands for builds {ids}"]
    logs = [fault for attempts in rows.attempts.values() for each in attempts for fault in _log(each, rows.log(each))]
    return [*wrong, *_ends(rows, plan, lost), *broken(rows), *miscounted(session), *logs, *_left(broker)]


def _ends(rows: Rows, plan: Plan, lost: int) -> Iterator[str]:
    ends = {run.name: (run.status, run.reason) for run in rows.runs.values()}
    expected = {name: step.end for name, step in plan.steps.items()}
    if (rows.build.status, rows.build.status_reason, ends) != (*plan.end, expected):
        yield f"the build is {rows.build.status} ({rows.build.status_reason}), its steps {ends}"
    more = 0
    for run in rows.runs.values():
        ran = [attempt.number for attempt in rows.attempts[run.id]]
        more += abs(len(ran) - plan.steps[run.name].attempts)
    if more > lost:
        yield f"{more} attempts more or less than there should be"


def _log(attempt: Attempt, content: bytes) -> Iterator[str]:
    """What was printed is there once; of a lost attempt there may be nothing."""
    allowed = {printed(attempt.number), b""} if attempt.reason is Reason.LOST else {printed(attempt.number)}
    if content not in allowed:
        yield f"attempt {attempt.number} printed {content!r}"


def _left(broker: Broker) -> Iterator[str]:
    if waiting := broker.waiting():
        yield f"messages are left in {waiting}"
    if left := broker.unacknowledged():
        yield f"{left} messages are left with the dead"


def _untrue(session: Session, broker: Broker) -> Iterator[str]:
    for queue in broker.waiting():
        for entry in broker.entries(queue):
            task, arguments = _read(entry)
            if not _tells_truth(session, task, arguments):
                yield f"{task} was sent with {arguments}, which no row tells of"


def _tells_truth(session: Session, task: str, arguments: Sequence[object]) -> bool:
    match task, *arguments:
        case "maintenance.sweep", *_:
            return True
        case "steps.run", step_id, attempt:
            run = session.get(StepRun, step_id)
            if run is None:
                return False
            is_sent = run.dispatched_at is not None or run.status is not StepStatus.READY
            return run.attempt > int(str(attempt)) or (run.attempt == attempt and is_sent)
        case _, build_id:
            return session.get(Build, build_id) is not None
    return False


def _read(entry: bytes) -> tuple[str, Sequence[object]]:
    message = json.loads(entry)
    arguments, _, _ = json.loads(base64.b64decode(message["body"]))
    return message["headers"]["task"], arguments
