"""A build server in pieces: each test starts the programs it needs, as real processes, on a broker of its own."""

import base64
import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import redis
import urllib3
from celery import Celery
from sqlalchemy import func, select

from app.domain.graph import GraphLimits
from app.models import Attempt, AuditEntry, Build, StepRun
from app.models.database import Database
from app.services import builds, images, projects, workflows
from app.services.builds import BuildRequest
from config import commands
from config.settings import load_settings
from tasks.celery_app import make_celery
from tests.support.attendance import attended
from tests.support.ports import free_port
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.wait import eventually

NEVER_S = "3600"
PREFIX = "buildserver:"


@dataclass
class System:
    """The parts that programs share, and the programs started so far."""

    database_url: str
    broker: RedisServer
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.port = free_port()
        self.database = Database(self.database_url)
        self.redis = redis.Redis.from_url(self.broker.url)
        self._started = ExitStack()
        self._count = 0

    @property
    def environ(self) -> dict[str, str]:
        """Sweeps come once, at the start, unless a test asks for more."""
        return {
            "BUILDSERVER_DATA_DIR": str(self.folder),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.broker.url,
            "BUILDSERVER_PORT": str(self.port),
            "BUILDSERVER_LOG_JSON": "true",
            "BUILDSERVER_SWEEP_INTERVAL_S": NEVER_S,
            "BUILDSERVER_KILL_GRACE_S": "0.2",
            **self.settings,
        }

    @property
    def celery(self) -> Celery:
        return make_celery(load_settings(self.environ))

    def start(self, words: Sequence[str], **settings: str) -> Program:
        """Start a program, and see that it is gone at the end."""
        self._count += 1
        log = self.folder / f"{self._count}.log"
        program = Program(words, {**self.environ, **settings}, log)
        self._started.callback(program.kill)
        return program

    def orchestrator(self, **settings: str) -> Program:
        program = self.start(commands.orchestrator(), **settings)
        program.wait_line(" ready.")
        return program

    def runner(self, **settings: str) -> Program:
        program = self.start(commands.runner(), **{"DATABASE_URL": "", **settings})
        program.wait_line(" ready.")
        return program

    def api(self, **settings: str) -> Program:
        program = self.start(commands.API, **settings)
        eventually(self._is_served, describe=lambda: program.text)
        return program

    def attend(self) -> None:
        """For tests without an API: an API seems to be there, and to have been for long, so leases can run out."""
        self._started.enter_context(attended(self.database, load_settings(self.environ).lease_s))

    def close(self) -> None:
        self._started.close()
        self.redis.close()
        self.database.dispose()

    def build(self, *steps: dict[str, Any]) -> str:
        """A new build's id, its hint not sent: as after an API that died between commit and publishing."""
        return self.database.transact(_new_build, [{**STEP, **step} for step in steps or ({},)])

    def statuses(self, build_id: str) -> list[str]:
        """The build's status, and then its steps' in their order."""
        return self.database.read(_statuses, build_id)

    def step_ids(self, build_id: str) -> list[str]:
        return self.database.read(_step_ids, build_id)

    def step(self, step_id: str) -> StepRun:
        """A step run's row as it is now."""
        return self.database.read(_step, step_id)

    def attempts(self, step_id: str) -> list[Attempt]:
        """The attempts that were claimed, in their order."""
        return self.database.read(_attempts, step_id)

    def audit_entries(self) -> int:
        return self.database.read(_audit_entries)

    def wait_idle(self) -> None:
        """Until every message is taken and acknowledged."""
        eventually(lambda: not self._waiting() and not self.unacknowledged(), describe=self._show)

    def queued(self, queue: str) -> list[tuple[str, list[Any]]]:
        """The messages waiting in a queue, oldest first: their tasks' names and arguments."""
        return [_read_message(entry) for entry in reversed(self.queued_entries(queue))]

    def take(self, queue: str) -> list[tuple[str, list[Any]]]:
        """Take every message out of a queue, oldest first."""
        entries = cast(list[bytes], self.redis.rpop(PREFIX + queue, 100_000) or [])
        return [_read_message(entry) for entry in entries]

    def queued_entries(self, queue: str) -> list[bytes]:
        """What waits in a queue, newest first, message or not."""
        return cast(list[bytes], self.redis.lrange(PREFIX + queue, 0, -1))

    def queue_length(self, queue: str) -> int:
        return self.redis.llen(PREFIX + queue)

    def unacknowledged(self) -> int:
        return self.redis.hlen(f"{PREFIX}unacked")

    def push(self, queue: str, entry: bytes) -> None:
        """Put raw bytes where messages are."""
        self.redis.lpush(PREFIX + queue, entry)

    def _is_served(self) -> bool:
        """A connection alone would not say so: gunicorn's listener is there before its workers are."""
        with urllib3.PoolManager(retries=False) as connections:  # closed then, for tests that count them
            try:
                return connections.request("GET", f"http://127.0.0.1:{self.port}/healthz").status == 200
            except urllib3.exceptions.HTTPError:
                return False

    def _show(self) -> str:
        return f"{self._waiting()!r}, {self.unacknowledged()} unacknowledged"

    def _waiting(self) -> list[bytes]:
        return [*self.queued_entries("orchestrate"), *self.queued_entries("maintenance")]


STEP = {"name": "only", "imageSlug": "alpine", "dependsOn": [], "runScript": "true", "cacheDirs": [], "outputPaths": []}


def _new_build(session: Any, steps: list[dict[str, Any]]) -> str:
    if not images.urls_by_slug(session, ["alpine"]):
        images.create(session, "alpine", "alpine:3.20", public=True)
    project = projects.create(session, "acme", "rocket")
    workflow = workflows.create(session, project.id, "ci", steps, GraphLimits(10_000, 100_000))
    return builds.create(session, project.id, BuildRequest(workflow.id)).id


def _statuses(session: Any, build_id: str) -> list[str]:
    steps = select(StepRun.status).where(StepRun.build_id == build_id).order_by(StepRun.position)
    return [str(session.get(Build, build_id).status), *map(str, session.scalars(steps))]


def _step_ids(session: Any, build_id: str) -> list[str]:
    return list(session.scalars(select(StepRun.id).where(StepRun.build_id == build_id).order_by(StepRun.position)))


def _step(session: Any, step_id: str) -> StepRun:
    run: StepRun = session.get(StepRun, step_id)
    return run


def _attempts(session: Any, step_id: str) -> list[Attempt]:
    return list(session.scalars(select(Attempt).where(Attempt.step_run_id == step_id).order_by(Attempt.number)))


def _audit_entries(session: Any) -> int:
    return int(session.scalar(select(func.count()).select_from(AuditEntry)))


def _read_message(entry: bytes) -> tuple[str, list[Any]]:
    message = json.loads(entry)
    arguments, _, _ = json.loads(base64.b64decode(message["body"]))
    return message["headers"]["task"], arguments
