"""Counts what is sent while many steps wait and no runner is there, and how fairly they run once one is.

    python -m benchmarks.backlog [--steps 10000] [--builds 4] [--seconds 600] [--slots 8] [--json]

Real programs at their default settings, on PostgreSQL. The steps of all builds are ready at once.
"""

import argparse
import json
import time
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.domain.vocabulary import StepStatus
from app.models import StepRun
from benchmarks.recovery import installation
from tests.integration.tasks.system import System
from tests.support.program import Program
from tests.support.wait import eventually

QUEUE = "run.default"
PATIENCE_S = 3600.0


def measure(
    system: System, orchestrator: Program, steps: int, builds: int, seconds: float, slots: int
) -> dict[str, Any]:
    """Messages in all, the longest queue, and each build's share of what had run when half of everything had."""
    made = [system.build(*({"name": f"step {number}"} for number in range(steps // builds))) for _ in range(builds)]
    began = time.monotonic()
    for build in made:
        system.celery.send_task("builds.plan", (build,))
    eventually(lambda: _queued(system) >= steps, PATIENCE_S)
    sent_after_s = time.monotonic() - began
    longest = 0
    while time.monotonic() - began < seconds:
        longest = max(longest, _queued(system))
        time.sleep(1)
    waiting = _sent(orchestrator)
    began = time.monotonic()
    system.runner(BUILDSERVER_RUNNERS=str(slots))
    eventually(lambda: _done(system)[0] >= steps / 2, PATIENCE_S)
    shares = _done(system)[1]
    eventually(lambda: _done(system)[0] == steps, PATIENCE_S)
    return {
        "steps": steps,
        "builds": builds,
        "first messages sent after_s": round(sent_after_s, 1),
        "waited_s": seconds,
        "messages while they waited": waiting,
        "longest queue": longest,
        "drained_s": round(time.monotonic() - began, 1),
        "messages in all": _sent(orchestrator),
        "done of each build at half time": sorted(shares),
    }


def _queued(system: System) -> int:
    return system.queue_length(QUEUE)


def _sent(orchestrator: Program) -> int:
    return len(orchestrator.lines("step handed out"))


def _done(system: System) -> tuple[int, list[int]]:
    shares = system.database.read(_done_by_build)
    return sum(shares), shares


def _done_by_build(session: Session) -> list[int]:
    done = select(func.count()).where(StepRun.status == StepStatus.SUCCESS).group_by(StepRun.build_id)
    return list(session.scalars(done))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backlog", description="Count what waiting steps cost.")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--builds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=600, help="how long there is no runner")
    parser.add_argument("--slots", type=int, default=8, help="of the runner that comes then")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    with installation("postgresql") as (system, orchestrator):
        found = measure(system, orchestrator, asked.steps, asked.builds, asked.seconds, asked.slots)
    found["measured"] = f"{datetime.now(UTC):%Y-%m-%d}"
    print(json.dumps(found) if asked.json else "\n".join(f"{name:34} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
