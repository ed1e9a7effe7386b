"""Reports on disk: what an attempt's end was, until the server has heard it, across the runner's death and a power cut.

Several runners may use one folder: a report is one file that appears whole, and delivering it twice is harmless.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger(__name__)

SPOOL = "reports"


class Spool:
    """The reports below one work folder."""

    def __init__(self, work_dir: Path) -> None:
        self._folder = work_dir / SPOOL

    def keep(self, step_id: str, report: Mapping[str, Any]) -> Path:
        """Returns once the report would survive a power cut. Raises OSError where the disk does not take it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{step_id}-{report['attempt']}.json"
        unfinished = path.with_suffix(".part")
        with unfinished.open("w") as file:
            json.dump({"stepId": step_id, **report}, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        _sync_folder(self._folder)
        return path

    def left(self) -> Iterator[tuple[Path, str, dict[str, Any]]]:
        """Every report that lies here: its file, its step run and its body; what is none is set aside."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                report = json.loads(path.read_bytes())
                yield path, str(report.pop("stepId")), {"attempt": int(report.pop("attempt")), **report}
            except FileNotFoundError:
                continue  # another runner has delivered it
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                log.error("unreadable report set aside", file=str(path), error=repr(error))
                path.rename(path.with_suffix(".unreadable"))


def _sync_folder(folder: Path) -> None:
    """A name is on disk only once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
