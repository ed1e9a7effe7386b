"""Delivers an attempt's outcome, however long the server is away, and across the runner's own death.

The report is on disk before it is first sent. Who starts a runner on the same work folder again delivers what is left;
the attempt's number makes a report that arrives twice, or too late, harmless.
"""

import json
import os
import random
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from worker.api import ApiClient, NotFound, Refused, Unreachable

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
SPOOL = "reports"


def deliver(client: ApiClient, work_dir: Path, step_id: str, report: Mapping[str, Any], stop: threading.Event) -> bool:
    """Send the report until the server has answered; false where `stop` came first, and the report waits on disk."""
    path = _spool(work_dir, step_id, report)
    pause_s = FIRST_PAUSE_S
    while not _sent(client, path, step_id, report):
        if stop.wait(random.uniform(pause_s / 2, pause_s)):
            return False
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
    return True


def deliver_spooled(client: ApiClient, work_dir: Path) -> int:
    """Send what an earlier process left, once each; how many are still undelivered."""
    left = 0
    for path in sorted((work_dir / SPOOL).glob("*.json")):
        report = json.loads(path.read_text())
        left += not _sent(client, path, report.pop("stepId"), report)
    return left


def _sent(client: ApiClient, path: Path, step_id: str, report: Mapping[str, Any]) -> bool:
    try:
        client.complete(step_id, dict(report))
    except Unreachable as error:
        log.warning("report not delivered yet", step=step_id, attempt=report["attempt"], error=str(error))
        return False
    except (Refused, NotFound) as error:
        log.warning("report refused", step=step_id, attempt=report["attempt"], error=str(error))
    path.unlink(missing_ok=True)
    return True


def _spool(work_dir: Path, step_id: str, report: Mapping[str, Any]) -> Path:
    folder = work_dir / SPOOL
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{step_id}-{report['attempt']}.json"
    with path.with_suffix(".part").open("w") as file:
        json.dump({"stepId": step_id, **report}, file)
        file.flush()
        os.fsync(file.fileno())
    path.with_suffix(".part").rename(path)
    return path
