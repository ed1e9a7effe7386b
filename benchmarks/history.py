"""Measures what a long history costs: the same requests and sweeps on an empty database and on one with many builds.

    python -m benchmarks.history [--builds 1000000] [--database postgresql|sqlite] [--rounds 200] [--json]

Both databases are asked in turns, request by request, so that what else the machine does slows both. Requests go over
HTTP to a server in this process; a sweep is what an orchestrator does every five seconds, when there is nothing to do.
"""

import argparse
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.services import dispatching, leases, planning
from config.logging import configure_logging
from config.settings import load_settings
from tests.api.served import served
from tests.api.world import World, claim, complete, make_world, new_build, steps_of
from tests.integration.plant import TIMES
from tests.support import history
from tests.support.databases import KINDS, migrated

Act = Callable[[World], float]


@dataclass(frozen=True)
class Cost:
    """Milliseconds, for half and for 99 of 100; and the median's multiple of that on an empty database."""

    p50: float
    p99: float
    ratio: float


def timed(action: Callable[[], Any]) -> float:
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


def list_builds(world: World) -> float:
    return timed(lambda: world.client.get(f"/api/projects/{world.project}/builds?limit=20"))


def list_builds_far_back(world: World) -> float:
    path = f"/api/projects/{world.project}/builds?limit=20&offset=900000"
    return timed(lambda: world.client.get(path))


def list_audit(world: World) -> float:
    return timed(lambda: world.client.get(f"/api/audit-logs?projectId={world.project}&limit=20"))


def list_audit_of_an_action(world: World) -> float:
    return timed(lambda: world.client.get("/api/audit-logs?action=build.finished&limit=20"))


def show_build(world: World) -> float:
    return timed(lambda: world.client.get(f"/api/builds/{world.build}"))


def post_build(world: World) -> float:
    path = f"/api/projects/{world.project}/builds"
    return timed(lambda: world.client.created(path, {"workflowId": world.workflow}))


def plan_build(world: World) -> float:
    build = world.client.created(f"/api/projects/{world.project}/builds", {"workflowId": world.workflow})
    return timed(lambda: world.client.database.transact(planning.plan, build))


def claim_step(world: World) -> float:
    step = _ready(world)
    return timed(lambda: claim(world.client, step))


def complete_step(world: World) -> float:
    step = _ready(world)
    claim(world.client, step)
    return timed(lambda: complete(world.client, step, status="success"))


def sweep(world: World) -> float:
    database = world.client.database

    def look() -> None:
        database.read(leases.overdue, TIMES.lease_s)
        database.read(planning.unplanned)
        database.transact(dispatching.dispatch_unsent, 8.0)
        database.read(dispatching.unclaimed)

    return timed(look)


ACTS: dict[str, Act] = {
    "list builds": list_builds,
    "list builds, offset 900,000": list_builds_far_back,
    "list a project's audit entries": list_audit,
    "list an action's audit entries": list_audit_of_an_action,
    "show a build": show_build,
    "post a build": post_build,
    "plan it": plan_build,
    "claim a step": claim_step,
    "complete a step": complete_step,
    "sweep": sweep,
}


def _ready(world: World) -> str:
    return str(steps_of(world.client, new_build(world.client, world.project, world.workflow))["a"]["id"])


@contextmanager
def worlds(kind: str, builds: int) -> Iterator[tuple[World, World]]:
    """One without a history and one with it."""
    with ExitStack() as stack:
        made = []
        for size in (0, builds):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            client = stack.enter_context(served(stack.enter_context(migrated(kind, folder)), folder))
            world = make_world(client)
            if size:
                history.add(client.database, world.project, world.workflow, size)
            client.presence.start()
            made.append(world)
        yield made[0], made[1]
        for world in made:
            world.client.presence.stop()


def measure(empty: World, full: World, rounds: int) -> dict[str, Cost]:
    """The first round, which warms up, does not count."""
    return {name: _cost(name, [(act(empty), act(full)) for _ in range(rounds + 1)][1:]) for name, act in ACTS.items()}


def _cost(name: str, pairs: Sequence[tuple[float, float]]) -> Cost:
    without, with_history = ([pair[side] for pair in pairs] for side in (0, 1))
    median = statistics.median(with_history)
    print(f"{name} measured", file=sys.stderr)
    return Cost(median, statistics.quantiles(with_history, n=100)[98], median / statistics.median(without))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history", description="Measure what a history costs.")
    parser.add_argument("--builds", type=int, default=1_000_000)
    parser.add_argument("--database", choices=KINDS, default="postgresql")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    configure_logging(load_settings({"BUILDSERVER_LOG_LEVEL": "ERROR"}))
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    began = time.monotonic()
    with worlds(asked.database, asked.builds) as (empty, full):
        print(f"{asked.builds:,} builds made in {time.monotonic() - began:.0f} s", file=sys.stderr)
        costs = measure(empty, full, asked.rounds)
    _tell(asked, costs)


def _tell(asked: argparse.Namespace, costs: dict[str, Cost]) -> None:
    found = {name: {key: round(value, 2) for key, value in vars(cost).items()} for name, cost in costs.items()}
    about = {"measured": f"{datetime.now(UTC):%Y-%m-%d}", "database": asked.database, "builds": asked.builds}
    if asked.json:
        print(json.dumps({**about, "milliseconds": found}))
        return
    print(f"{asked.database}, {asked.builds:,} builds: milliseconds, and the median's multiple of an empty database's")
    for name, cost in costs.items():
        print(f"{name:32} p50 {cost.p50:8.2f}   p99 {cost.p99:8.2f}   x {cost.ratio:.2f}")


if __name__ == "__main__":
    main()
