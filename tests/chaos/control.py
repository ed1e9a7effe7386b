"""The control's side of a storm: the same builds, and of the same faults those that have a meaning for plain Celery.

It has neither an API nor orchestrators nor a database of its own, so what strikes those is left out, in its favour. All
of it is a program of its own, as one process has one kind of Celery: ours, or plain.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from celery import Celery
from celery.exceptions import OperationalError
from redis import RedisError

from tasks.celery_app import celery_url
from tests.chaos import control_app, ledger
from tests.chaos.faults import Striker, Weather
from tests.chaos.figures import Figures, count
from tests.chaos.installation import Installation, place
from tests.chaos.order import Order
from tests.chaos.plans import BuildPlan
from tests.chaos.storm import Fault, Strike
from tests.support.redis_server import RedisServer

OF_MESSAGES = {Fault.FLUSH, Fault.REDIS_RESTART, Fault.REDIS_FREEZE, Fault.DROP, Fault.DOUBLE, Fault.DELAY}
OF_PROGRAMS = {Fault.KILL, Fault.TERM, Fault.STOP}
PAUSE_S = 0.2


def run(order: Order) -> tuple[Figures, dict[str, int]]:
    """What became of the builds, and the faults that struck."""
    words = [sys.executable, "-m", "tests.chaos.control", json.dumps(asdict(order))]
    figures, faults = json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout)
    return Figures(**figures), faults


def means_something(strike: Strike) -> bool:
    """Whether it strikes what the control has: a runner there is a worker here."""
    return strike.fault in OF_MESSAGES or (strike.fault in OF_PROGRAMS and strike.role == "runner")


def _run(order: Order) -> tuple[Figures, dict[str, int]]:
    folder = Path(tempfile.mkdtemp(prefix="control-"))
    (folder / "ledger").mkdir()
    with _installed(folder, order) as installation, installation.kept():
        installation.wait_until_ready()
        striker = Striker(installation)
        weather = Weather(striker, [strike for strike in order.strikes() if means_something(strike)])
        weather.start()
        planned = _post(control_app.make(celery_url(installation.broker.url)), order, folder / "ledger")
        weather.join()
        if weather.broken:
            raise weather.broken[0]
        _wait_for_ends(folder / "ledger", planned, order.settling_s)
    figures = Figures()
    for build, plan in planned.items():
        lives = ledger.lives(ledger.read(folder / "ledger", build))
        figures.add(count(plan, lives.values(), control_app.ended(folder / "ledger", build).exists()))
    shutil.rmtree(folder)
    return figures, dict(striker.fired)


@contextmanager
def _installed(folder: Path, order: Order) -> Iterator[Installation]:
    """As many workers as there are runners, with as many slots."""
    broker = RedisServer(keeps=True)
    environ = {control_app.URL: celery_url(broker.url)}
    words = ("celery", "-A", "tests.chaos.control_app", "worker", "-l", "INFO", "-c", str(order.slots), "-n")
    places = [place(folder, "runner", number, (*words, f"{number}@%h"), environ) for number in range(order.runners)]
    try:
        yield Installation(folder, broker, places, queues=("celery",))
    finally:
        broker.remove()


def _post(celery: Celery, order: Order, folder: Path) -> dict[str, BuildPlan]:
    """The builds at the same times as ours, each again until Redis has taken it."""
    planned: dict[str, BuildPlan] = {}
    for plan in order.paced():
        build = f"b{plan.number}"
        _send(celery, plan, build, folder)
        planned[build] = plan
    return planned


def _send(celery: Celery, plan: BuildPlan, build: str, folder: Path) -> None:
    while True:
        try:
            control_app.canvas(celery, plan, build, str(folder)).apply_async()
        except (OperationalError, RedisError, OSError):
            time.sleep(PAUSE_S)
        else:
            return


def _wait_for_ends(folder: Path, planned: dict[str, BuildPlan], patience_s: float) -> None:
    give_up_at = time.monotonic() + patience_s
    while time.monotonic() < give_up_at and not all(control_app.ended(folder, build).exists() for build in planned):
        time.sleep(PAUSE_S)


def main() -> None:
    """The order comes as JSON, and so do the figures and the faults."""
    figures, faults = _run(Order(**json.loads(sys.argv[1])))
    print(json.dumps([asdict(figures), faults]), flush=True)
    os._exit(0)  # on their way out Celery's results would look for the broker that is gone, and complain


if __name__ == "__main__":
    main()
