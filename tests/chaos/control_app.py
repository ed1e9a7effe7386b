"""The control: builds on plain Celery, as whoever knows it well sets it up. `celery -A tests.chaos.control_app worker`.

The graph is a canvas: steps that can run at the same time are a group, each group is followed by a task that gathers
its results, and the last task writes down that the build has ended. A step's task fails never: its outcome is its
result, and a step that depends on one without success leaves itself out.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from celery import Celery, chain, group

from tests.chaos.plans import BuildPlan, Script, StepPlan

URL = "CONTROL_REDIS"
Outcomes = dict[str, str]
"""How each step ended, by its name."""
VISIBILITY_TIMEOUT_S = 15
"""Longer than any step takes and than any worker stands still, so that none is given away while it runs."""
CONNECTION: dict[str, Any] = {
    "socket_timeout": 5,  # without one a Redis that stands still is waited for without end
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 10,
}
PATIENCE = {"max_retries": 100, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 1.0}
"""Longer than Redis is ever away; by default a message is given up after three tries."""
SETTINGS: dict[str, Any] = {
    "task_acks_late": True,  # a worker that dies costs no message ...
    "task_reject_on_worker_lost": True,  # ... nor does a child of it
    "worker_prefetch_multiplier": 1,  # what one worker hoards another cannot take
    "worker_cancel_long_running_tasks_on_connection_loss": True,  # as their messages go to somebody else then
    "worker_concurrency": 2,
    "task_publish_retry": True,
    "task_publish_retry_policy": PATIENCE,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,  # by default a worker gives up after 100 tries
    "broker_transport_options": {
        **CONNECTION,
        "visibility_timeout": VISIBILITY_TIMEOUT_S,
        "unacked_restore_interval": 1,  # by default, and with the next, a lost message waits for 100 s
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 10,  # by default whoever dies holding it stops all redelivery for 300 s
    },
    "result_backend_always_retry": True,
    "result_backend_max_retries": 100,
    "result_backend_transport_options": {
        "visibility_timeout": VISIBILITY_TIMEOUT_S,  # the shortest of both would count
        "retry_policy": {**PATIENCE, "timeout": 60.0},
    },
    "redis_socket_timeout": 5.0,
    "redis_socket_connect_timeout": 3.0,
    "redis_retry_on_timeout": True,
    "redis_backend_health_check_interval": 10,
    "worker_hijack_root_logger": False,
}


def make(url: str) -> Celery:
    """An application with the three tasks, with its messages and its results in this Redis."""
    made = Celery("control", broker=url, backend=url)
    made.conf.update(SETTINGS)
    for name, task in (("step", step), ("gather", gather), ("finish", finish)):
        made.task(name=name)(task)
    return made


def canvas(celery: Celery, plan: BuildPlan, build: str, ledger: str) -> Any:
    """The build's signature; sending it starts the build."""
    parts: list[Any] = []
    for level in _levels(plan.steps):
        steps = [
            celery.signature("step", (build, each.name, each.depends_on, Script(ledger, each).text())) for each in level
        ]
        parts += [group(steps), celery.signature("gather")] if len(steps) > 1 else steps
    parts[0] = _first(parts[0])
    return chain(*parts, celery.signature("finish", (ended(Path(ledger), build).as_posix(),)))


def ended(ledger: Path, build: str) -> Path:
    """The file that is there once the build has ended."""
    return ledger / f"{build}.ended"


def step(known: Outcomes, build: str, name: str, depends_on: Sequence[str], script: str) -> Outcomes:
    """Run a step's script, unless what it depends on went wrong; `known` are the outcomes so far."""
    if any(known[needed] != "SUCCESS" for needed in depends_on):
        return {**known, name: "SKIPPED"}
    leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []  # no script outlives its worker
    about = {"BUILD_ID": build, "STEP_NAME": name, "STEP_ATTEMPT": str(time.time_ns())}  # Celery numbers no executions
    words = [*leash, "bash", "-c", f"set -euo pipefail\n{script}"]
    done = subprocess.run(words, env={"PATH": os.environ["PATH"], **about}, stdout=subprocess.DEVNULL, check=False)
    return {**known, name: "FAILED" if done.returncode else "SUCCESS"}


def gather(found: list[Outcomes]) -> Outcomes:
    """The outcomes that the tasks of a group know of, as one."""
    return {name: outcome for outcomes in found for name, outcome in outcomes.items()}


def finish(_: Outcomes, path: str) -> None:
    Path(path).touch()


def _levels(steps: Sequence[StepPlan]) -> Iterator[list[StepPlan]]:
    """Steps that depend on earlier levels only; within one they can run at the same time."""
    depth: Mapping[str, int] = {}
    for each in steps:
        depth = {**depth, each.name: 1 + max((depth[name] for name in each.depends_on), default=-1)}
    for level in range(max(depth.values()) + 1):
        yield [each for each in steps if depth[each.name] == level]


def _first(part: Any) -> Any:
    """Nothing comes before it, so it is told that nothing is known."""
    return group(_first(each) for each in part.tasks) if isinstance(part, group) else part.clone(args=({},))


app = make(os.environ.get(URL, "redis://"))
