"""Measures how soon work goes on after a fault, with real programs at their default settings.

    python -m benchmarks.recovery [--database postgresql|sqlite] [--rounds 5] [--json]

Every figure is a time from the fault to the moment the rows or the queue show that the work has gone on.
"""

import argparse
import json
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import urllib3
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.vocabulary import StepStatus
from app.models import Attempt, Project, StepRun
from app.services import completion, workflows
from app.services.completion import Report
from tests.integration.plant import LIMITS, SUCCESS, TIMES
from tests.integration.tasks.system import System
from tests.support.databases import KINDS, migrated
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.wait import eventually

SLOTS = 20
PATIENCE_S = 120.0
DEFAULTS = {"BUILDSERVER_SWEEP_INTERVAL_S": "5", "BUILDSERVER_KILL_GRACE_S": "10"}
"""What the tests' installation sets otherwise."""
ENDLESS = {"runScript": "sleep 1000", "timeoutSeconds": 3600}


def lost_runner(system: System) -> list[float]:
    """From the SIGKILL of a runner to the claim of each of its steps' next attempt by another one."""
    doomed = _runner(system, SLOTS)
    build = _running(system, SLOTS)
    other = _runner(system, SLOTS)
    killed_at = time.time()
    doomed.kill()
    _until(lambda: _claimed(system, build, 2) == SLOTS)
    other.kill()
    return [at - killed_at for at in system.database.read(_claims, build, 2)]


def lost_hint(system: System) -> list[float]:
    """From a build, the hint of which is lost, to its first step's message in the queue."""
    time.sleep(random.uniform(0, 5))  # at any moment between two sweeps
    system.build()
    return [_timed(lambda: bool(system.queued("run.default")))]


def lost_message(system: System) -> list[float]:
    """From the loss of a step's message, some time after it was sent, to the next one in the queue."""
    system.celery.send_task("builds.plan", (system.build(),))
    _until(lambda: bool(system.queued("run.default")))
    time.sleep(random.uniform(0, 5))  # at any moment between two sweeps
    system.take("run.default")
    return [_timed(lambda: bool(system.queued("run.default")))]


def handed_back(system: System) -> list[float]:
    """From the SIGTERM of a runner to its step being READY for the next attempt."""
    runner = _runner(system, 1)
    build = _running(system, 1)
    runner.send(signal.SIGTERM)
    took = _timed(lambda: system.statuses(build)[1] == "READY")
    runner.process.wait()
    return [took]


def broker_back(system: System) -> list[float]:
    """From the return of Redis, which was away while a build was made, to the claim of the build's step."""
    runner = _runner(system, 1)
    system.broker.stop()
    build = system.build()
    time.sleep(random.uniform(5, 10))
    system.broker.start()
    took = _timed(lambda: _claimed(system, build, 1) == 1)
    runner.kill()
    return [took]


def posts_while_redis_is_frozen(system: System) -> list[float]:
    """How long each of 100 builds takes to be accepted."""
    body = json.dumps({"workflowId": _workflow(system)}).encode()
    system.broker.freeze()
    took = [_timed(lambda: _post(system, body) == 201) for _ in range(100)]
    system.broker.thaw()
    return took


def _workflow(system: System) -> str:
    """One without steps: its builds end by themselves."""
    return system.database.transact(workflows.create, _project(system), "empty", [], LIMITS).id


def _post(system: System, body: bytes) -> int:
    url = f"http://127.0.0.1:{system.port}/api/projects/{_project(system)}/builds"
    return urllib3.request("POST", url, body=body, headers={"Content-Type": "application/json"}, retries=False).status


def _project(system: System) -> str:
    return system.database.read(_any_project)


def _any_project(session: Session) -> str:
    return session.scalars(select(Project.id).limit(1)).one()


@dataclass(frozen=True)
class Measure:
    """What is timed, at most how many seconds are wanted, how it is done, and how often in one round."""

    what: str
    wanted_s: float
    do: Callable[[System], list[float]]
    times: int


MEASURES = (
    Measure("runner killed: next attempt claimed", 45, lost_runner, 1),
    Measure("build's hint lost: first step sent", 10, lost_hint, 4),
    Measure("message lost: sent again", 15, lost_message, 4),
    Measure("runner asked to end: step handed back", 2, handed_back, 4),
    Measure("Redis back: first step claimed", 10, broker_back, 2),
    Measure("Redis frozen: build accepted", 0.1, posts_while_redis_is_frozen, 1),
)


def measure(system: System, rounds: int) -> list[dict[str, Any]]:
    """The spread of each measure's times, in seconds."""
    return [
        _spread(each, [took for _ in range(rounds * each.times) for took in _once(each, system)]) for each in MEASURES
    ]


def _once(each: Measure, system: System) -> list[float]:
    took = each.do(system)
    _forget(system)
    return took


def _spread(each: Measure, took: list[float]) -> dict[str, Any]:
    ordered = sorted(took)
    figures = {
        "p50_s": ordered[len(ordered) // 2],
        "p99_s": ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))],
        "max_s": ordered[-1],
    }
    rounded = {name: round(value, 2) for name, value in figures.items()}
    return {"what": each.what, "count": len(took), **rounded, "wanted_s": each.wanted_s}


def _running(system: System, steps: int) -> str:
    """A build whose steps all run."""
    build = system.build(*({**ENDLESS, "name": f"step {number}"} for number in range(steps)))
    system.celery.send_task("builds.plan", (build,))
    _until(lambda: _claimed(system, build, 1) == steps)
    return build


def _claimed(system: System, build: str, attempt: int) -> int:
    return len(system.database.read(_claims, build, attempt))


def _claims(session: Session, build: str, attempt: int) -> list[float]:
    of_build = (StepRun.build_id == build, Attempt.number == attempt)
    rows = session.scalars(select(Attempt.started_at).join(StepRun, StepRun.id == Attempt.step_run_id).where(*of_build))
    return [at.timestamp() for at in rows]


def _forget(system: System) -> None:
    """What is open would come back: it is ended as by a report, and its messages are taken away."""
    for step, attempt in system.database.read(_open):
        system.database.transact(completion.complete, step, Report(SUCCESS, attempt), TIMES)
    system.take("run.default")


def _runner(system: System, slots: int) -> Program:
    work = tempfile.mkdtemp(prefix="work-", dir=system.folder)
    return system.runner(BUILDSERVER_RUNNERS=str(slots), BUILDSERVER_WORK_DIR=work)


def _open(session: Session) -> list[tuple[str, int]]:
    going = select(StepRun.id, StepRun.attempt).where(StepRun.status.in_([StepStatus.READY, StepStatus.RUNNING]))
    return [(step, attempt) for step, attempt in session.execute(going)]


def _timed(probe: Callable[[], bool]) -> float:
    began = time.monotonic()
    _until(probe)
    return time.monotonic() - began


def _until(probe: Callable[[], bool]) -> None:
    eventually(probe, PATIENCE_S)


@contextmanager
def installation(kind: str) -> Iterator[tuple[System, Program]]:
    """An API and an orchestrator, which comes with the system; runners come and go."""
    with tempfile.TemporaryDirectory(prefix="recovery-") as name, migrated(kind, Path(name)) as url:
        broker = RedisServer()
        system = System(url, broker, Path(name), dict(DEFAULTS))
        try:
            system.api()
            yield system, system.orchestrator()
        finally:
            system.close()
            broker.remove()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description="Time how work goes on.")
    parser.add_argument("--database", choices=KINDS, default="postgresql")
    parser.add_argument("--rounds", type=int, default=5, help="how often each fault comes, times one to four")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    with installation(asked.database) as (system, _):
        found = measure(system, asked.rounds)
    if asked.json:
        print(json.dumps({"measured": f"{datetime.now(UTC):%Y-%m-%d}", "database": asked.database, "times": found}))
        return
    print(f"{datetime.now(UTC):%Y-%m-%d}, {asked.database}; seconds")
    for row in found:
        times = "  ".join(f"{name} {row[f'{name}_s']:6.2f}" for name in ("p50", "p99", "max"))
        print(f"{row['what']:40} {times}  wanted {row['wanted_s']:g}  ({row['count']} times)")


if __name__ == "__main__":
    main()
