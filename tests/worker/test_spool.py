"""What lies among the reports and is none: it goes when a runner starts, and stays where somebody needs it."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from worker.spool import UNREADABLE_KEPT, Spool

REPORT = {"status": "success", "attempt": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "reports"
    made.mkdir()
    return made


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_runner_left_half_written_is_removed(folder: Path) -> None:
    (folder / "step-1.part").write_text('{"stepId": "st')
    kept = Spool(folder.parent).keep("other", REPORT)
    Spool(folder.parent).tidy()
    assert list(folder.iterdir()) == [kept.path]


def test_what_another_runner_writes_just_now_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writing, go_on = threading.Event(), threading.Event()
    fsync = os.fsync

    def sync(file: int) -> None:
        writing.set()
        assert go_on.wait(20)
        fsync(file)

    monkeypatch.setattr(os, "fsync", sync)
    with ThreadPoolExecutor(1) as other:
        kept = other.submit(Spool(folder.parent).keep, "step", REPORT)
        assert writing.wait(20)
        Spool(folder.parent).tidy()
        there = names(folder)
        go_on.set()
        assert kept.result(20).path == folder / "step-1.json"
    assert (there, names(folder)) == (["step-1.part"], ["step-1.json"])


def test_a_report_that_a_full_disk_does_not_take_leaves_nothing(folder: Path) -> None:
    (folder / "step-1.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        Spool(folder.parent).keep("step", REPORT)
    assert names(folder) == []


def test_the_newest_of_what_could_not_be_read_are_kept(folder: Path) -> None:
    for number in range(UNREADABLE_KEPT + 3):
        path = folder / f"{UNREADABLE_KEPT + 3 - number:02}.unreadable"
        path.touch()
        os.utime(path, (number, number))
    Spool(folder.parent).tidy()
    assert names(folder) == [f"{number:02}.unreadable" for number in range(1, UNREADABLE_KEPT + 1)]


def test_where_nothing_was_ever_reported_there_is_nothing_to_tidy(tmp_path: Path) -> None:
    Spool(tmp_path).tidy()
    assert list(tmp_path.iterdir()) == []
