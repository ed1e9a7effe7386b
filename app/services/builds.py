"""Builds: laid out from a workflow when they are asked for, and read back."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import JSON, ColumnElement, func, insert, literal, select, type_coerce
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.domain.audit import AuditAction
from app.domain.definition import StepDefinition
from app.domain.engine import Settlement
from app.domain.errors import Conflict, NotFound
from app.domain.vocabulary import BuildStatus, StepStatus
from app.models import Build, StepEdge, StepRun, Workflow
from app.models.base import new_id
from app.models.hints import PLAN, hint
from app.services import audit, images, projects, workflows
from app.services.pages import Page, page_of
from app.services.trail import Trail

ROWS = 10_000
"""In one statement: a document of about a megabyte."""


@dataclass(frozen=True)
class BuildRequest:
    """What a client asks for. A repeated request with the same idempotency key gets the build of the first one."""

    workflow_id: str
    repo_url: str | None = None
    commit_hash: str | None = None
    branch: str | None = None
    commit_message: str | None = None
    commit_author: str | None = None

    def fingerprint(self) -> str:
        """Equal for equal requests, whatever order their fields came in."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def create(session: Session, project_id: str, request: BuildRequest, idempotency_key: str | None = None) -> Build:
    """A build with its step runs and edges, all copied from the workflow as it is now.

    Nothing runs yet: a hint asks an orchestrator to plan it. One without steps is SUCCESS at once. The cost is that
    of the workflow's steps and edges. NotFound for the project or the workflow; Conflict for a key used otherwise.
    """
    project = projects.get(session, project_id)
    if earlier := _earlier(session, project.id, request, idempotency_key):
        return earlier
    workflow = workflows.get_of_project(session, request.workflow_id, project.id)
    with Trail(session, actor="api") as trail:
        build = _new_build(workflow, request, idempotency_key, trail)
        try:
            with session.begin_nested():
                session.add(build)
        except IntegrityError:
            if earlier := _earlier(session, project.id, request, idempotency_key):
                return earlier
            raise
        _lay_out(session, build, workflow)
        trail.record(AuditAction.BUILD_CREATED, project.id, buildId=build.id, workflowId=workflow.id)
        if build.status.is_final:
            trail.record(AuditAction.BUILD_FINISHED, project.id, buildId=build.id, after=build.status)
        else:
            hint(session, PLAN, build.id)
    return build


def get(session: Session, build_id: str) -> Build:
    """The build, or NotFound."""
    build = session.get(Build, build_id)
    if build is None:
        raise NotFound("Build")
    return build


def list_for_project(session: Session, project_id: str, limit: int, offset: int) -> Page[Build]:
    """A project's builds, newest first. The total is a count kept by the audit log: its cost does not grow."""
    project = projects.get(session, project_id)
    total = audit.count(session, project.id, AuditAction.BUILD_CREATED)
    return page_of(session, Build, [Build.project_id == project.id], total, limit, offset)


def lock(session: Session, build_id: str) -> Build:
    """The build as it is now, held until the transaction ends: the first lock of whatever changes a build."""
    query = select(Build).where(Build.id == build_id).with_for_update().execution_options(populate_existing=True)
    build = session.scalars(query).one_or_none()
    if build is None:
        raise NotFound("Build")
    return build


def _earlier(session: Session, project_id: str, request: BuildRequest, key: str | None) -> Build | None:
    """The build of the same request; who asks again may have had no answer because the first hint never went out."""
    if key is None:
        return None
    query = select(Build).where(Build.project_id == project_id, Build.idempotency_key == key)
    build = session.scalars(query).one_or_none()
    if build is not None and build.request_hash != request.fingerprint():
        raise Conflict("this Idempotency-Key was used for another request; take a new one", "idempotency_key_reused")
    if build is not None and build.planned_at is None and not build.status.is_final:
        hint(session, PLAN, build.id)
    return build


def _new_build(workflow: Workflow, request: BuildRequest, key: str | None, trail: Trail) -> Build:
    empty = not workflow.steps
    return Build(
        **asdict(request),
        id=new_id(),
        project_id=workflow.project_id,
        status=BuildStatus.SUCCESS if empty else BuildStatus.PENDING,
        open_steps=len(workflow.steps),
        idempotency_key=key,
        request_hash=request.fingerprint() if key else None,
        created_at=trail.now,
        planned_at=trail.now if empty else None,
        started_at=trail.now if empty else None,
        finished_at=trail.now if empty else None,
    )


def _lay_out(session: Session, build: Build, workflow: Workflow) -> None:
    definitions = [StepDefinition.from_posted(step) for step in workflow.steps]
    urls = images.urls_by_slug(session, (definition.image_slug for definition in definitions))
    ids = {definition.name: new_id() for definition in definitions}
    runs = [
        [
            ids[definition.name],
            position,
            definition.name,
            workflow.steps[position],
            urls[definition.image_slug],
            definition.pool,
            definition.run_if,
            definition.allow_failure,
            len(definition.depends_on),
        ]
        for position, definition in enumerate(definitions)
    ]
    edges = [(ids[name], ids[definition.name]) for definition in definitions for name in definition.depends_on]
    for start in range(0, len(runs), ROWS):
        _insert_runs(session, build, runs[start : start + ROWS])
    for start in range(0, len(edges), ROWS):
        _join(session, build.id, edges[start : start + ROWS])


def _insert_runs(session: Session, build: Build, runs: Sequence[Sequence[Any]]) -> None:
    """Insert step runs, each given as what differs between them, in this order."""
    run = _elements(session, runs)
    values = {
        "id": run[0].as_string(),
        "position": run[1].as_integer(),
        "name": run[2].as_string(),
        "definition": run[3],
        "image_url": run[4].as_string(),
        "pool": run[5].as_string(),
        "run_if": run[6].as_string(),
        "allow_failure": run[7].as_boolean(),
        "waiting_on": run[8].as_integer(),
        "build_id": literal(build.id),
        "project_id": literal(build.project_id),
        "status": literal(StepStatus.PENDING, StepRun.status.type),
        "worst": literal(Settlement.PASSED, StepRun.worst.type),
        "attempt": literal(1),
        "dispatches": literal(0),
    }
    session.execute(insert(StepRun).from_select(list(values), select(*values.values()), include_defaults=False))


def _join(session: Session, build_id: str, edges: Sequence[tuple[str, str]]) -> None:
    """Insert edges, each an upstream's and a downstream's id."""
    edge = _elements(session, edges)
    ends = select(edge[0].as_string(), edge[1].as_string(), literal(build_id))
    session.execute(insert(StepEdge).from_select(["upstream", "downstream", "build_id"], ends))


def _elements(session: Session, rows: Sequence[Sequence[Any]]) -> ColumnElement[Any]:
    """The rows as one document that the database takes apart: sent row by row, they take longer than all else that
    makes a build."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    elements = func.json_each if is_sqlite else func.json_array_elements
    return type_coerce(elements(literal(rows, JSON)).table_valued("value").c.value, JSON)
