"""A project to build in: workflows from a few words, builds of them, and the runner's and the sweep's part played."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text

from app.domain.graph import GraphLimits
from app.domain.vocabulary import BuildStatus, Reason, StepStatus
from app.models import Attempt, AuditEntry, Build, StepRun
from app.models.database import Database
from app.services import builds, completion, dispatching, images, leases, planning, projects, steps, workflows
from app.services.builds import BuildRequest
from app.services.completion import Receipt, Report
from app.services.dispatching import Dispatch
from app.services.endings import Outcome
from app.services.leases import Claim, Claimant, LeaseTimes
from tests.support.attendance import attend

CLAIM_DEADLINE_S = 8.0
TIMES = LeaseTimes(lease_s=30, step_timeout_s=3600)
LIMITS = GraphLimits(max_steps=10_000, max_edges=100_000)
SUCCESS = Outcome(True, None, 0)
FAILURE = Outcome(False, Reason.EXIT, 1)
HANDED_BACK = Outcome(False, Reason.LOST, handed_back=True)
RUNNER = Claimant(runner="runner-1", key="key-1", heartbeats=True)

Steps = Mapping[str, Sequence[str]]
"""Names of steps, and the names each depends on."""


@dataclass(frozen=True)
class Ids:
    """A build's id, and its step runs' ids by name."""

    build: str
    steps: Mapping[str, str]


class Plant:
    """One project with one image; every method is one unit of work, or a few in the order in which they come."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.project = database.transact(projects.create, "acme", "rocket").id
        database.transact(images.create, "alpine", "alpine:3.20", True)

    def workflow(self, depends_on: Steps, **of_steps: Mapping[str, Any]) -> str:
        """A workflow's id; a step's further fields are given by its name."""
        posted = [{**step(name, needs), **of_steps.get(name, {})} for name, needs in depends_on.items()]
        created = self.database.transact(workflows.create, self.project, "ci", posted, LIMITS)
        return created.id

    def build(self, depends_on: Steps, **of_steps: Mapping[str, Any]) -> Ids:
        """A new build, not planned."""
        request = BuildRequest(self.workflow(depends_on, **of_steps))
        return self.ids(self.database.transact(builds.create, self.project, request).id)

    def planned(self, depends_on: Steps, **of_steps: Mapping[str, Any]) -> Ids:
        """A new build whose first steps are READY."""
        ids = self.build(depends_on, **of_steps)
        self.plan(ids.build)
        return ids

    def ids(self, build_id: str) -> Ids:
        detail = self.database.read(steps.of_build, build_id)
        return Ids(build_id, {run.name: run.id for run in detail.steps})

    def plan(self, build_id: str) -> None:
        self.database.transact(planning.plan, build_id)

    def dispatch(self, build_id: str, claim_deadline_s: float = CLAIM_DEADLINE_S) -> list[Dispatch]:
        return self.database.transact(dispatching.dispatch_build, build_id, claim_deadline_s)

    def dispatch_unsent(self) -> list[Dispatch]:
        return self.database.transact(dispatching.dispatch_unsent, CLAIM_DEADLINE_S)

    def unclaimed(self) -> dict[str, int]:
        return self.database.read(dispatching.unclaimed)

    def dispatch_again(self, lost: int, pool: str = "default") -> list[Dispatch]:
        return self.database.transact(dispatching.dispatch_again, pool, lost, CLAIM_DEADLINE_S)

    def take_back(self, dispatches: Sequence[Dispatch]) -> None:
        self.database.transact(dispatching.take_back, dispatches)

    def claim(self, step_id: str, claimant: Claimant = RUNNER, attempt: int | None = None) -> Claim:
        return self.database.transact(leases.claim, step_id, claimant, attempt, TIMES)

    def complete(self, step_id: str, outcome: Outcome = SUCCESS, attempt: int | None = None) -> Receipt:
        return self.database.transact(completion.complete, step_id, Report(outcome, attempt), TIMES)

    def run(self, step_id: str, outcome: Outcome = SUCCESS) -> Receipt:
        """Claim the step's current attempt and report its outcome."""
        return self.complete(step_id, outcome, self.claim(step_id).attempt)

    def lose(self, step_id: str) -> None:
        """Let the lease of the step's running attempt run out, and sweep."""
        self.age(step_id, "lease_expires_at")
        self.expire()

    def overdue(self) -> list[tuple[str, int]]:
        """What a sweep finds where the API has been there all the time."""
        self.database.transact(attend, TIMES.lease_s)
        return list(self.database.read(leases.overdue, TIMES.lease_s))

    def expire(self) -> None:
        for step_id, attempt in self.overdue():
            self.database.transact(leases.expire, step_id, attempt, TIMES.lease_s)

    def age(self, step_id: str, column: str, past_s: int = 60) -> None:
        """Put a time of the step's live attempt a minute into the past, by the database's own clock."""
        self._put_back("attempts", column, "step_run_id = :id AND finished_at IS NULL", step_id, past_s)

    def age_step(self, step_id: str, past_s: int = 60) -> None:
        """Let the step be due for its next message since so many seconds."""
        self._put_back("step_runs", "redispatch_at", "id = :id", step_id, past_s)

    def age_build(self, build_id: str, past_s: int = 60) -> None:
        self._put_back("builds", "created_at", "id = :id", build_id, past_s)

    def status(self, ids: Ids) -> BuildStatus:
        return self.row(ids).status

    def row(self, ids: Ids) -> Build:
        return self.database.read(builds.get, ids.build)

    def run_of(self, step_id: str) -> StepRun:
        return self.database.read(steps.get, step_id)

    def statuses(self, ids: Ids) -> dict[str, StepStatus]:
        return {run.name: run.status for run in self.database.read(steps.of_build, ids.build).steps}

    def attempts(self, step_id: str) -> Sequence[Attempt]:
        return self.database.read(steps.attempts, step_id)

    def entries(self, ids: Ids) -> list[tuple[str, str]]:
        """The build's audit entries, oldest first: each action, and the step's name or nothing."""
        query = select(AuditEntry).order_by(AuditEntry.id)
        entries = self.database.read(lambda session: session.scalars(query).all())
        return [
            (str(entry.action), entry.details.get("step", ""))
            for entry in entries
            if entry.details.get("buildId") == ids.build
        ]

    def snapshot(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row that work on a build can change, to compare: what a refused action must leave as it was."""
        tables = ("builds", "step_runs", "step_edges", "attempts", "log_chunks", "audit_entries", "audit_counts")
        return {table: self._rows(f"SELECT * FROM {table}") for table in tables}

    def _rows(self, query: str) -> list[tuple[object, ...]]:
        rows = self.database.read(lambda session: session.execute(text(query)).all())
        return sorted(tuple(map(str, row)) for row in rows)

    def _put_back(self, table: str, column: str, where: str, identifier: str, past_s: int = 60) -> None:
        sqlite = self.database.engine.dialect.name == "sqlite"
        past = (
            f"strftime('%Y-%m-%d %H:%M:%f000', 'now', '{-past_s} seconds')"
            if sqlite
            else f"now() - interval '{past_s} seconds'"
        )
        statement = text(f"UPDATE {table} SET {column} = {past} WHERE {where}")
        self.database.transact(lambda session: session.execute(statement, {"id": identifier}))


def step(name: str, needs: Sequence[str] = ()) -> dict[str, Any]:
    """A step as it is posted."""
    lists = {"dependsOn": list(needs), "cacheDirs": [], "outputPaths": []}
    return {"name": name, "imageSlug": "alpine", "runScript": "true", **lists}
