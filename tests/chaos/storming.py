"""One storm from its seed to its verdict."""

import random
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import history, ledger, plans, storm
from tests.chaos.client import Client
from tests.chaos.faults import Striker, Weather
from tests.chaos.installation import Installation, installed
from tests.chaos.invariants import Evidence, judge
from tests.chaos.plans import BuildPlan

SETTLING_S = 60.0
"""After the last fault every build has so long to end."""
FINAL = ("SUCCESS", "FAILED")


@dataclass(frozen=True)
class Order:
    """What is asked for: the same order is the same builds and the same storm."""

    seed: int
    builds: int
    seconds: float
    on_postgresql: bool = True


@dataclass
class Verdict:
    """How it went. `wrong`: what is broken, by invariant, each sentence with its build's number in the storm."""

    order: Order
    faults: dict[str, int] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    steps: int = 0
    attempts: int = 0
    open_after_s: float = 0.0
    retried_questions: int = 0
    wrong: dict[str, list[str]] = field(default_factory=dict)
    files: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "order": vars(self.order)}


def run(order: Order) -> Verdict:
    """Build, strike, wait, judge. The installation is gone afterwards; where something is wrong its files stay."""
    verdict = Verdict(order)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    (folder / "ledger").mkdir()
    with installed(folder, order.on_postgresql) as installation, installation.kept():
        _go_through(order, installation, verdict)
        verdict.restarts = _restarts(installation)
    if verdict.wrong:
        verdict.files = str(folder)
    else:
        shutil.rmtree(folder)
    return verdict


def _go_through(order: Order, installation: Installation, verdict: Verdict) -> None:
    """The storm and the posting of builds go on at once, and the judging when both are over."""
    client = Client(installation.api_url)
    project = client.post("/api/projects", {"accountId": "chaos", "name": f"seed {order.seed}"})["id"]
    client.post("/api/docker-images", {"slug": "chaos", "imageUrl": "chaos:1", "public": True})
    striker = Striker(installation)
    weather = Weather(striker, storm.draw(random.Random(order.seed), order.seconds, order.on_postgresql))
    weather.start()
    planned = _post(client, project, order, installation.folder / "ledger")
    weather.join()
    if weather.broken:
        raise weather.broken[0]
    verdict.open_after_s = _wait_for_ends(client, project)
    verdict.faults, verdict.retried_questions = dict(striker.fired), client.retries
    _judge(client, planned, installation.folder / "ledger", verdict)


def _post(client: Client, project: str, order: Order, folder: Path) -> dict[str, BuildPlan]:
    """The builds, spread over the storm; each under a key, so that a lost answer does not make two of it."""
    planned: dict[str, BuildPlan] = {}
    began = time.monotonic()
    for plan in plans.draw(random.Random(order.seed + 1), order.builds):
        due = began + 0.8 * order.seconds * plan.number / order.builds
        time.sleep(max(0.0, due - time.monotonic()))
        steps = plans.posted(plan, str(folder))
        workflow = client.post(f"/api/projects/{project}/workflows", {"name": f"b{plan.number}", "steps": steps})["id"]
        body = {"workflowId": workflow}
        build = client.post(f"/api/projects/{project}/builds", body, Idempotency_Key=f"{order.seed}-{plan.number}")
        planned[build["id"]] = plan
    return planned


def _wait_for_ends(client: Client, project: str) -> float:
    """How long after the storm the last build ended; SETTLING_S where one has not."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < SETTLING_S:
        builds = client.get(f"/api/projects/{project}/builds?limit=1000")["builds"]
        if all(build["status"] in FINAL for build in builds):
            break
        time.sleep(0.2)
    return round(waited, 1)


def _judge(client: Client, planned: dict[str, BuildPlan], folder: Path, verdict: Verdict) -> None:
    entries = history.audit(client)
    for build, plan in planned.items():
        told = history.read(client, build, entries)
        evidence = Evidence(plan, told, ledger.lives(ledger.read(folder, build)))
        verdict.steps += len(told.steps)
        verdict.attempts += sum(len(attempts) for attempts in told.attempts.values())
        for invariant, wrongs in judge(evidence).items():
            verdict.wrong.setdefault(invariant, []).extend(f"build {plan.number}: {wrong}" for wrong in wrongs)


def _restarts(installation: Installation) -> dict[str, int]:
    starts: dict[str, int] = {}
    for place in installation.places:
        starts[place.role] = starts.get(place.role, 0) + place.starts - 1
    return starts
