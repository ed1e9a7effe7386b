"""Whether a worker on this machine is well: `python -m tasks.pulse ROLE` ends with 0 if it is, and needs no broker.

A worker's main loop sends a heartbeat event every two seconds, and only while it is connected to the broker. Each one
touches a file in the data directory; an old file means that the worker is stuck or cannot reach the broker.
"""

import sys
import time
from pathlib import Path

from celery.signals import heartbeat_sent, worker_init

from config.settings import Settings, load_settings

STALE_AFTER_S = 30.0
"""A task of the solo pool keeps the heartbeats waiting while it runs, and none runs for so long."""


def watch(settings: Settings, role: str) -> None:
    """Have this process' worker leave its pulse; `heartbeat_sent` is a signal of the main process alone."""
    path = pulse_file(settings, role)

    def touch(**_: object) -> None:
        path.touch()

    def begin(**_: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)

    worker_init.connect(begin, weak=False)
    heartbeat_sent.connect(touch, weak=False)


def pulse_file(settings: Settings, role: str) -> Path:
    return settings.data_dir / "run" / f"{role}.pulse"


def is_well(settings: Settings, role: str, now: float) -> bool:
    """`now` is by the wall clock, which is also that of files."""
    try:
        return now - pulse_file(settings, role).stat().st_mtime < STALE_AFTER_S
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(0 if is_well(load_settings(), sys.argv[1], time.time()) else 1)
