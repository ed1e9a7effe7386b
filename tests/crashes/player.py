"""Plays everything around the server: the client that asks for a build, the runner, and the passing of time."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.models import Attempt, Build, StepRun
from app.models.database import Database
from app.services import builds
from tasks.celery_app import pool_queue
from tests.crashes.fuse import Fuse
from tests.crashes.plan import EXIT, SILENT, SUCCESS, Plan
from tests.crashes.roles import Api, Broker, Mailbox, Orchestrator
from tests.support.attendance import LONG_AGO, attend

RUN = pool_queue("default")
PATIENCE = 10
"""How often time may pass until the build must have ended. Without a crash it does so three times."""
RUNNER = "runner"
STAGES = ("claim", "script", "heartbeat", "log", "complete")
FINAL_STAGE = STAGES[-1]
REPORTS = {SUCCESS: {"status": "success", "exitCode": 0}, EXIT: {"status": "failed", "exitCode": 1}}


@dataclass
class Job:
    """What the runner is at: an attempt, the claim's key, and the request that has no answer yet."""

    step_id: str
    attempt: int
    stage: str = STAGES[0]

    @property
    def key(self) -> str:
        return f"{self.step_id} {self.attempt}"


@dataclass
class Known:
    """What the client and the runner know, and keep when the server's processes die."""

    key: str
    build: str | None = None
    job: Job | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class World:
    """What there is besides this build."""

    database: Database
    broker: Broker
    api: Api
    orchestrator: Orchestrator
    runner: Mailbox
    project: str
    workflow: str

    def close(self) -> None:
        """Let go of all connections; each comes back when it is asked for."""
        for part in (self.api, self.orchestrator, self.runner):
            part.close()
        self.database.dispose()


class Player:
    """Brings one build to its end from wherever it is."""

    def __init__(self, world: World, plan: Plan, known: Known, fuse: Fuse) -> None:
        self._world, self._plan, self._fuse, self.known = world, plan, fuse, known
        self._waits = 0
        self._names: dict[str, str] = {}

    def play(self) -> None:
        """Until the build has ended and no message is left, or nothing helps.

        Between times a minute passes in which nobody is heard of but the API.
        """
        if self.known.build is None:
            self._ask()
        self._settle()
        while not self._is_over() and self._waits < PATIENCE:
            self._waits += 1
            self._world.database.transact(_age)
            self._give_back()
            self._world.orchestrator.ask_for_sweep()
            self._settle()
        self._give_back()
        self._settle()

    def deliver(self, job: Job) -> None:
        """The report of a runner that died with it, from its disk."""
        self.known.job = job
        while self.known.job:
            self._request()

    def _settle(self) -> None:
        """Until nobody has anything to do."""
        while self._act():
            pass

    def _ask(self) -> None:
        path = f"/api/projects/{self._world.project}/builds"
        headers = {"Idempotency-Key": self.known.key}
        status, body = self._world.api.request("POST", path, {"workflowId": self._world.workflow}, **headers)
        assert status == 201, body
        self.known.build = body["id"]

    def _act(self) -> bool:
        """Whoever has something to do does one piece of it, the orchestrator first."""
        queue = next(iter(self._world.broker.waiting()), None)
        if queue and queue != RUN:
            self._world.orchestrator.work(queue)
        elif self.known.job:
            self._request()
        elif queue:
            self._take()
        return queue is not None or self.known.job is not None

    def _take(self) -> None:
        with self._fuse.role(RUNNER):
            message = self._world.runner.take(RUN)
            message.ack()
            self.known.job = Job(*message.payload[0])

    def _request(self) -> None:
        """The runner's next request. It goes on where the server says yes, and drops the attempt where it says no."""
        job = self.known.job
        assert job is not None
        outcome = self._outcome(job)
        with self._fuse.role(RUNNER), self._fuse.around(f"a call of {job.stage}"):
            status, body = self._send(job, outcome)
        assert status in (200, 409), body
        is_last = status == 409 or job.stage == FINAL_STAGE or (job.stage == "heartbeat" and outcome == SILENT)
        self.known.job = None if is_last else Job(job.step_id, job.attempt, STAGES[STAGES.index(job.stage) + 1])

    def _send(self, job: Job, outcome: str) -> tuple[int, Any]:
        path, of_attempt = f"/api/runner/{job.step_id}", {"attempt": job.attempt}
        request = self._world.api.request
        match job.stage:
            case "claim":
                return request(
                    "POST", f"{path}/claim", {"runner": RUNNER, "heartbeats": True, "key": job.key, **of_attempt}
                )
            case "script":
                return request("GET", path)
            case "heartbeat":
                return request("POST", f"{path}/heartbeat", {"runner": RUNNER, **of_attempt})
            case "log":
                return request("PUT", f"{path}/log?attempt={job.attempt}&offset=0", printed(job.attempt))
            case _:
                return request("POST", f"{path}/complete", {**REPORTS[outcome], **of_attempt})

    def _outcome(self, job: Job) -> str:
        if job.step_id not in self._names:
            run = self._world.database.read(lambda session: session.get_one(StepRun, job.step_id))
            self._names[job.step_id] = run.name
        return self._plan.steps[self._names[job.step_id]].outcome(job.attempt)

    def _is_over(self) -> bool:
        return self._world.database.read(builds.get, self.known.build or "").status.is_final

    def _give_back(self) -> None:
        """Long after their deaths, the messages of the dead go to the living."""
        self._world.broker.age()
        self._world.orchestrator.give_back()


def printed(attempt: int) -> bytes:
    """What an attempt prints."""
    return b"attempt %d was here\n" % attempt


def _age(session: Session) -> None:
    """Whatever waits for a time to come has waited long enough."""
    attend(session, lease_s=30)
    session.execute(update(Attempt).where(Attempt.finished_at.is_(None)).values(lease_expires_at=LONG_AGO))
    session.execute(update(StepRun).where(StepRun.redispatch_at.is_not(None)).values(redispatch_at=LONG_AGO))
    for build in session.scalars(select(Build).where(Build.planned_at.is_(None))):
        build.created_at = LONG_AGO
