"""A long history in a few statements: builds that are over, older than any that a test makes, in one project.

Each has two steps, the second after the first, both of which succeeded at their first attempt, with a line of log and
the audit entries of its life.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, Engine, Integer, LargeBinary, String, cast, insert, literal, select, text
from sqlalchemy.orm import Session

from app.domain.audit import AuditAction
from app.domain.engine import Settlement
from app.domain.vocabulary import AttemptStatus, BuildStatus, RunIf, StepStatus
from app.models import Attempt, AuditCount, AuditEntry, Base, Build, LogChunk, StepEdge, StepRun
from app.models.base import UtcDateTime
from app.models.database import Database
from app.models.engines import make_engine
from app.services.trail import COUNT_SHARDS

BATCH = 20_000
"""Builds in one transaction."""
LONG_AGO = literal(datetime(2020, 1, 1, tzinfo=UTC), UtcDateTime)
STEPS = (1, 2)
ENTRY = 9
"""Kinds of ids: 0 is a build's, then those of its steps, and an audit entry's."""
ACTIONS = (
    AuditAction.BUILD_CREATED,
    AuditAction.BUILD_STARTED,
    *(AuditAction.STEP_READY, AuditAction.STEP_CLAIMED, AuditAction.STEP_COMPLETED) * len(STEPS),
    AuditAction.BUILD_FINISHED,
)


def add(database: Database, project_id: str, workflow_id: str, builds: int) -> None:
    """So many builds, once. PostgreSQL has tidied up after them, as it does by itself; SQLite never does."""
    for first in range(0, builds, BATCH):
        database.transact(_add, project_id, workflow_id, first, min(first + BATCH, builds) - 1)
    database.transact(_count, project_id, builds)
    if database.engine.dialect.name == "postgresql":
        _tidy_up(make_engine(database.engine.url.render_as_string(hide_password=False), pool_size=1, patient=True))


def _tidy_up(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def _add(session: Session, project_id: str, workflow_id: str, first: int, last: int) -> None:
    numbers = select(literal(first, Integer).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < last))
    number, project = numbers.c.n, literal(project_id)
    build = _id(0, number)

    def insert_all(table: type[Base], values: Mapping[str, Any]) -> None:
        session.execute(insert(table).from_select(list(values), select(*values.values()), include_defaults=False))

    insert_all(Build, {"id": build, "project_id": project, "workflow_id": literal(workflow_id), **_of_build()})
    for step in STEPS:
        run = _id(step, number)
        insert_all(StepRun, {"id": run, "build_id": build, "project_id": project, **_of_step(step)})
        insert_all(Attempt, {"step_run_id": run, "number": literal(1), **_of_attempt()})
        content = literal(b"done\n", LargeBinary)
        insert_all(
            LogChunk, {"step_run_id": run, "attempt": literal(1), "start": literal(0) * number, "content": content}
        )
    insert_all(StepEdge, {"upstream": _id(1, number), "downstream": _id(2, number), "build_id": build})
    for place, action in enumerate(ACTIONS):
        entry = _id(ENTRY, number * len(ACTIONS) + place)
        insert_all(AuditEntry, {"id": entry, "project_id": project, **_of_entry(action)})


def _id(kind: int, number: ColumnElement[int]) -> ColumnElement[str]:
    """The ids of a kind sort as they were made, as all ids do, and before today's."""
    return literal(f"0000000{kind}-0000-7000-8000-000") + cast(100_000_000 + number, String)


def _of_build() -> dict[str, Any]:
    return {
        "status": literal(BuildStatus.SUCCESS, Build.status.type),
        "open_steps": literal(0),
        "branch": literal("main"),
        **dict.fromkeys(("created_at", "planned_at", "started_at", "finished_at"), LONG_AGO),
    }


def _of_step(step: int) -> dict[str, Any]:
    return {
        "position": literal(step),
        "name": literal(f"step {step}"),
        "definition": literal({"name": f"step {step}", "imageSlug": "alpine", "runScript": "true"}, JSON),
        "image_url": literal("alpine:3.20"),
        "pool": literal("default"),
        "run_if": literal(RunIf.SUCCESS, StepRun.run_if.type),
        "allow_failure": literal(False),
        "status": literal(StepStatus.SUCCESS, StepRun.status.type),
        "worst": literal(Settlement.PASSED, StepRun.worst.type),
        "waiting_on": literal(0),
        "attempt": literal(1),
        "dispatches": literal(1),
        **dict.fromkeys(("ready_at", "redispatch_at", "dispatched_at", "started_at", "finished_at"), LONG_AGO),
    }


def _of_attempt() -> dict[str, Any]:
    return {
        "status": literal(AttemptStatus.SUCCESS, Attempt.status.type),
        "handed_back": literal(False),
        "heartbeats": literal(True),
        "runner": literal("runner-0"),
        **dict.fromkeys(("lease_expires_at", "deadline_at", "started_at", "finished_at"), LONG_AGO),
    }


def _of_entry(action: AuditAction) -> dict[str, Any]:
    details = literal({"actor": "runner", "step": "step 1", "attempt": 1}, JSON)
    return {"action": literal(action, AuditEntry.action.type), "details": details, "created_at": LONG_AGO}


def _count(session: Session, project_id: str, builds: int) -> None:
    counts = {action: ACTIONS.count(action) * builds for action in sorted(set(ACTIONS))}
    rows = [
        {"project_id": project_id, "action": action, "shard": COUNT_SHARDS, "entries": entries}
        for action, entries in counts.items()
    ]
    session.execute(insert(AuditCount), rows)
