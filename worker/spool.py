"""Reports on disk: what an attempt's end was, until the server has heard it, across the runner's death and a power cut.

Several runners may use one folder: a report is one file that appears whole, and delivering it twice is harmless.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger(__name__)

SPOOL = "reports"
UNREADABLE_KEPT = 20
"""Files: enough to see what went wrong, too few to fill a disk."""


class Spool:
    """The reports below one work folder."""

    def __init__(self, work_dir: Path) -> None:
        self._folder = work_dir / SPOOL

    def has(self, step_id: str, attempt: int) -> bool:
        """Whether a report of the attempt lies here."""
        return self._file(step_id, attempt).exists()

    def keep(self, step_id: str, report: Mapping[str, Any]) -> Path:
        """Returns once the report would survive a power cut. Raises OSError where the disk does not take it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._file(step_id, report["attempt"])
        with self._opened() as folder:
            fcntl.flock(folder, fcntl.LOCK_SH)  # keeps `tidy` away
            _write(path, json.dumps({"stepId": step_id, **report}))
            os.fsync(folder)  # a name is on disk only once its folder is
        return path

    def tidy(self) -> None:
        """Remove what killed runners left half written, and all but the newest of what could not be read."""
        if not self._folder.exists():
            return
        with self._opened() as folder:
            if _is_alone(folder):
                _remove(self._folder.glob("*.part"))
        set_aside = sorted(self._folder.glob("*.unreadable"), key=lambda path: path.stat().st_mtime)
        _remove(set_aside[:-UNREADABLE_KEPT])

    def left(self) -> Iterator[tuple[Path, str, dict[str, Any]]]:
        """Every report that lies here: its file, its step run and its body; what is none is set aside."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                report = json.loads(path.read_bytes())
                yield path, str(report.pop("stepId")), {"attempt": int(report.pop("attempt")), **report}
            except FileNotFoundError:
                continue  # another runner has delivered it
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                log.error("unreadable report set aside; look at it and delete it", file=str(path), error=repr(error))
                with suppress(FileNotFoundError):
                    path.rename(path.with_suffix(".unreadable"))

    def _file(self, step_id: str, attempt: int) -> Path:
        return self._folder / f"{step_id}-{attempt}.json"

    @contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _write(path: Path, text: str) -> None:
    """The file appears whole and on disk, or not at all."""
    unfinished = path.with_suffix(".part")
    try:
        with unfinished.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def _is_alone(folder: int) -> bool:
    """Whether nobody writes here just now; until the folder is closed nobody will."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
