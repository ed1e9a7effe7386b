"""Reports on disk: what an attempt's end was, until the server has heard it, across the runner's death and a power cut.

Beside a report lies the attempt's log, as a second name of the file in the attempt's folder, which may go meanwhile.
Several runners may use one spool: a report is one file that appears whole, and delivering it twice is harmless. It is
named by its attempt and, if it is about a claim, by the key of that: of one attempt several claims may be under way.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from worker.json_object import json_object
from worker.plain_file import read_plain

log = structlog.get_logger(__name__)

SPOOL = "reports"
REPORT, LOG = ".json", ".log"
UNREADABLE = (OSError, ValueError, KeyError, TypeError)
"""What a file in the place of a report can raise when it is read as one."""
UNREADABLE_KEPT = 20
"""Files: enough to see what went wrong, too few to fill a disk."""


@dataclass(frozen=True)
class Kept:
    """A report that waits for the server. `path` is its file; none where the disk did not take it.

    `log_bytes`: how long the log is that the server must have before it, 0 where it has it. What the disk still has of
    it lies at `log_path`.
    """

    step_id: str
    report: Mapping[str, Any]
    path: Path | None = None
    log_bytes: int = 0

    @property
    def log_path(self) -> Path | None:
        return self.path and self.path.with_suffix(LOG)

    def remove(self) -> None:
        """The report first: a log alone is nothing to deliver, a report alone would miss its log."""
        if self.path:
            self.path.unlink(missing_ok=True)
            self.path.with_suffix(LOG).unlink(missing_ok=True)


class Spool:
    """The reports below one work folder."""

    def __init__(self, work_dir: Path) -> None:
        self._folder = work_dir / SPOOL

    def has(self, step_id: str, attempt: int) -> bool:
        """Whether a report of the attempt lies here."""
        return self._file(step_id, attempt).exists()

    def keep(self, step_id: str, report: Mapping[str, Any], log_path: Path | None = None, log_bytes: int = 0) -> Kept:
        """Returns once the report would survive a power cut. Raises OSError where the disk does not take it.

        The log is not waited for: how much of it there should be is in the report.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._file(step_id, report.get("attempt"), report.get("key"))
        kept = Kept(step_id, report, path, log_bytes)
        with self._opened() as folder:
            fcntl.flock(folder, fcntl.LOCK_SH)  # keeps `tidy` away
            if log_path:
                _name_again(log_path, path.with_suffix(LOG))
            _write(path, json.dumps(_noted(kept)))
            os.fsync(folder)  # a name is on disk only once its folder is
        return kept

    def tidy(self) -> None:
        """Remove what killed runners left half written or half removed, and all but the newest of what could not be
        read."""
        if not self._folder.exists():
            return
        with self._opened() as folder:
            if _is_alone(folder):
                _remove(self._folder.glob("*.part"))
                _remove(path for path in self._folder.glob(f"*{LOG}") if not path.with_suffix(REPORT).exists())
        set_aside = sorted(self._folder.glob("*.unreadable"), key=lambda path: path.stat().st_mtime)
        _remove(set_aside[:-UNREADABLE_KEPT])

    def left(self) -> Iterator[Kept]:
        """Every report that lies here; what is none is set aside."""
        for path in sorted(self._folder.glob(f"*{REPORT}")):
            try:
                yield _read(path)
            except FileNotFoundError:
                continue  # another runner has delivered it
            except UNREADABLE as error:
                log.error("unreadable report set aside; look at it and delete it", file=str(path), error=repr(error))
                with suppress(OSError):
                    path.rename(path.with_suffix(".unreadable"))

    def _file(self, step_id: str, attempt: int | None, key: str | None = None) -> Path:
        return self._folder / f"{'-'.join(str(part) for part in (step_id, attempt, key) if part)}{REPORT}"

    @contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _noted(kept: Kept) -> dict[str, Any]:
    return {"stepId": kept.step_id, "logBytes": kept.log_bytes, **kept.report}


def _read(path: Path) -> Kept:
    """What `_noted` made of a report. Raises one of UNREADABLE where this is none."""
    report = json_object(read_plain(path))
    step_id, log_bytes = str(report.pop("stepId")), int(report.pop("logBytes", 0))
    if "key" not in report:
        report["attempt"] = int(report["attempt"])
    return Kept(step_id, report, path, log_bytes)


def _name_again(file: Path, name: Path) -> None:
    """On disks without second names the report has to do without: it will say that the log's end is missing."""
    try:
        name.unlink(missing_ok=True)
        os.link(file, name, follow_symlinks=False)
    except OSError as error:
        log.warning("log cannot be kept beside its report", error=str(error))


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
        with suppress(OSError):
            path.unlink()
