"""One storm from its order to its verdict."""

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.chaos import figures, history, ledger, plans
from tests.chaos.client import Client
from tests.chaos.faults import Striker, Weather
from tests.chaos.history import History
from tests.chaos.installation import Installation, installed
from tests.chaos.invariants import Evidence, judge
from tests.chaos.order import Order
from tests.chaos.plans import BuildPlan
from tests.chaos.verdict import Verdict
from tests.chaos.watch import FINAL, LOOK_EVERY_S, Watch, builds

READERS = 4
STUCK_S = 180.0
"""So long no build ended: something is wrong."""


def run(order: Order) -> Verdict:
    """Build, strike, wait, judge. The installation is gone afterwards; where something is wrong its files stay."""
    verdict = Verdict(order)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    (folder / "ledger").mkdir()
    with installed(folder, order.on_postgresql, order.runners, order.slots) as installation, installation.kept():
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
    installation.wait_until_ready()
    striker, watch = Striker(installation), Watch(Client(installation.api_url), project)
    weather = Weather(striker, order.strikes())
    watch.start()
    weather.start()
    planned: dict[str, BuildPlan] = {}
    for plan in order.paced() if order.most_open is None else _by_room(order.drawn(), order.most_open, planned, watch):
        planned[_post(client, project, plan, order.seed, installation.folder / "ledger")] = plan
    if order.most_open is not None:
        weather.clear()
    weather.join()
    if weather.broken:
        raise weather.broken[0]
    verdict.open_after_s = _wait_for_ends(client, project, order.settling_s)
    watch.stop()
    installation.retire("orchestrator", "runner")
    verdict.faults, verdict.retried_questions = dict(striker.fired), client.retries
    _judge(client, planned, installation.folder / "ledger", watch, striker, verdict)


def _by_room(
    drawn: Iterable[BuildPlan], most_open: int, planned: Mapping[str, BuildPlan], watch: Watch
) -> Iterator[BuildPlan]:
    """The builds, each as soon as there is room for it; where none comes for long, the rest is left out, and what there
    is is judged."""
    for plan in drawn:
        give_up_at = time.monotonic() + STUCK_S
        while len(planned) - len(watch.seen) >= most_open:
            if time.monotonic() > give_up_at or not watch.is_alive():
                return
            time.sleep(LOOK_EVERY_S / 4)
        yield plan


def _post(client: Client, project: str, plan: BuildPlan, seed: int, folder: Path) -> str:
    """The build's id. It has a key, so that a lost answer does not make two of it."""
    steps = plans.posted(plan, str(folder))
    workflow = client.post(f"/api/projects/{project}/workflows", {"name": f"b{plan.number}", "steps": steps})["id"]
    body = {"workflowId": workflow}
    build: str = client.post(f"/api/projects/{project}/builds", body, Idempotency_Key=f"{seed}-{plan.number}")["id"]
    return build


def _wait_for_ends(client: Client, project: str, patience_s: float) -> float:
    """How long after the storm the last build ended; all of the patience where one has not."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < patience_s:
        if all(build["status"] in FINAL for build in builds(client, project)):
            break
        time.sleep(LOOK_EVERY_S)
    return round(waited, 1)


def _judge(
    client: Client, planned: dict[str, BuildPlan], folder: Path, watch: Watch, striker: Striker, verdict: Verdict
) -> None:
    for build, told in _histories(client, planned):
        plan = planned[build]
        lives = ledger.lives(ledger.read(folder, build))
        verdict.attempts += sum(len(attempts) for attempts in told.attempts.values())
        verdict.add_recoveries(figures.recoveries(told.attempts.values(), striker.kills))
        verdict.ours.add(figures.count(plan, lives.values(), told.build["status"] in FINAL))
        for invariant, wrongs in judge(Evidence(plan, told, lives, watch.seen.get(build, {}))).items():
            verdict.wrong.setdefault(invariant, []).extend(f"build {plan.number}: {wrong}" for wrong in wrongs)


def _histories(client: Client, ids: Iterable[str]) -> Iterator[tuple[str, History]]:
    """Some at once: a build of ten steps is thirty questions."""
    moves = history.moves(client)
    with ThreadPoolExecutor(READERS) as readers:
        yield from readers.map(lambda build: (build, history.read(client, build, moves.get(build, []))), ids)


def _restarts(installation: Installation) -> dict[str, int]:
    starts: dict[str, int] = {}
    for place in installation.places:
        starts[place.role] = starts.get(place.role, 0) + place.starts - 1
    return starts
