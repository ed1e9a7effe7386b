"""The server's answers as typed values: what the commands read of them, and nothing else of them.

Unknown fields are ignored and unset ones are None, as the contract leaves both open. Readers raise what Python raises
where a field is missing or of another type; the client makes one error of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

from app.domain.retry import LOST_PAUSE_S
from app.domain.vocabulary import FINAL_BUILD_STATUSES, FINAL_STEP_STATUSES, StepStatus

Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Project:
    id: str
    name: str

    @classmethod
    def from_json(cls, body: Json) -> Self:
        return cls(body["id"], body["name"])


@dataclass(frozen=True)
class StoredImage:
    slug: str
    image_url: str

    @classmethod
    def from_json(cls, body: Json) -> Self:
        return cls(body["slug"], body["imageUrl"])


@dataclass(frozen=True)
class Workflow:
    id: str
    name: str

    @classmethod
    def from_json(cls, body: Json) -> Self:
        return cls(body["id"], body["name"])


@dataclass(frozen=True)
class StepRun:
    """One step in one build; `id` is the contract's `stepId`."""

    id: str
    name: str
    status: str
    attempt: int
    depends_on: tuple[str, ...]
    reason: str | None
    runner: str | None
    exit_code: int | None
    pool: str | None
    ready_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def from_json(cls, body: Json) -> Self:
        return cls(
            id=body["id"],
            name=body["name"],
            status=body["status"],
            attempt=body["attempt"],
            depends_on=tuple(body["dependsOn"]),
            reason=body.get("reason"),
            runner=body.get("runner"),
            exit_code=body.get("exitCode"),
            pool=body.get("pool"),
            ready_at=instant(body.get("readyAt")),
            started_at=instant(body.get("startedAt")),
            finished_at=instant(body.get("finishedAt")),
        )

    @property
    def final(self) -> bool:
        return self.status in FINAL_STEP_STATUSES

    def elapsed_s(self, now: datetime) -> float | None:
        return _elapsed_s(self.started_at, self.finished_at, now)

    def pause_s(self, now: datetime) -> float:
        """How long it still rests before it may be tried again; 0 where it waits for nothing but a runner. A clock here
        that is behind the server's makes no longer pause of it than there is."""
        if self.ready_at is None or self.status != StepStatus.READY or self.attempt == 1:
            return 0.0
        return min(max((self.ready_at - now).total_seconds(), 0.0), LOST_PAUSE_S)


@dataclass(frozen=True)
class Attempt:
    """One try of a step run; `elapsed_s` is None until it has ended."""

    number: int
    status: str
    reason: str | None
    runner: str | None
    elapsed_s: float | None

    @classmethod
    def from_json(cls, body: Json) -> Self:
        started_at, finished_at = instant(body.get("startedAt")), instant(body.get("finishedAt"))
        elapsed_s = _elapsed_s(started_at, finished_at, finished_at) if finished_at else None
        return cls(body["attempt"], body["status"], body.get("reason"), body.get("runner"), elapsed_s)


@dataclass(frozen=True)
class AuditEntry:
    """An entry about a build; `id`s are ordered by time."""

    id: str
    action: str
    build_id: str
    created_at: datetime

    @classmethod
    def from_json(cls, body: Json) -> Self:
        created_at = datetime.fromisoformat(body["createdAt"]).astimezone(UTC)
        return cls(body["id"], body["action"], body["details"]["buildId"], created_at)


@dataclass(frozen=True)
class Build:
    """A build; `steps` is empty where the server lists builds without them."""

    id: str
    project_id: str
    workflow_id: str
    status: str
    status_reason: str | None
    branch: str | None
    commit_hash: str | None
    commit_message: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    steps: tuple[StepRun, ...]

    @classmethod
    def from_json(cls, body: Json) -> Self:
        return cls(
            id=body["id"],
            project_id=body["projectId"],
            workflow_id=body["workflowId"],
            status=body["status"],
            status_reason=body.get("statusReason"),
            branch=body.get("branch"),
            commit_hash=body.get("commitHash"),
            commit_message=body.get("commitMessage"),
            created_at=datetime.fromisoformat(body["createdAt"]).astimezone(UTC),
            started_at=instant(body.get("startedAt")),
            finished_at=instant(body.get("finishedAt")),
            steps=tuple(StepRun.from_json(step) for step in body.get("steps", [])),
        )

    @property
    def final(self) -> bool:
        return self.status in FINAL_BUILD_STATUSES

    def elapsed_s(self, now: datetime) -> float | None:
        return _elapsed_s(self.started_at, self.finished_at, now)


def list_of(read: Callable[[Any], T]) -> Callable[[Any], list[T]]:
    """A reader of a list whose items `read` reads. What iterates and is no list is a fault, not an empty list."""

    def read_all(body: Any) -> list[T]:
        if not isinstance(body, list):
            raise TypeError("no list")
        return [read(item) for item in body]

    return read_all


def json_object(body: Any) -> Json:
    if not isinstance(body, dict):
        raise TypeError("no object")
    return body


def whole_build(body: Any) -> Json:
    """A build as it was sent, once it is sure that it can be read as one."""
    Build.from_json(body)
    return json_object(body)


def instant(text: str | None) -> datetime | None:
    """An RFC 3339 time in UTC, or None where the field was unset."""
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _elapsed_s(started_at: datetime | None, finished_at: datetime | None, now: datetime) -> float | None:
    if started_at is None:
        return None
    return max(0.0, ((finished_at or now) - started_at).total_seconds())
