"""Folders of attempts that are over are removed beside the runner's work, which they hold up only if there are many."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from pathlib import Path

import pytest

from tests.support.wait import eventually
from tests.worker.conftest import ON_SQLITE, NewRunner, Server
from worker import removal
from worker.attempt import Outcome
from worker.removal import MOST_WAITING, Remover
from worker.runner import Runner


class Slow:
    """A disk on which nothing is removed before it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on, self.begun = threading.Event(), threading.Event()
        self._remove = removal.remove
        monkeypatch.setattr(removal, "remove", self.remove)

    def remove(self, root: Path) -> None:
        self.begun.set()
        assert self.go_on.wait(60)
        self._remove(root)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    made = Slow(monkeypatch)
    yield made
    made.go_on.set()


def folders(below: Path, count: int) -> list[Path]:
    made = [below / f"left-{number}" for number in range(count)]
    for folder in made:
        (folder / "a" / "b").mkdir(parents=True)
    return made


@ON_SQLITE
def test_a_step_is_over_before_its_folders_are_gone(server: Server, runner: Runner, slow: Slow, tmp_path: Path) -> None:
    assert runner.run(server.new_step()) == Outcome(exit_code=0)
    assert len(list((tmp_path / "work").glob("left-*"))) == 1
    slow.go_on.set()
    runner.close()
    assert list((tmp_path / "work").glob("*-*")) == []


@ON_SQLITE
def test_what_a_runner_did_not_get_done_the_next_one_does(
    server: Server, new_runner: NewRunner, slow: Slow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = new_runner()
    first.run(server.new_step())
    assert slow.begun.wait(20)
    first.stop()
    first.close()
    assert len(list((tmp_path / "work").glob("left-*"))) == 1
    monkeypatch.setattr(removal, "remove", slow._remove)
    new_runner()
    eventually(lambda: list((tmp_path / "work").glob("*-*")) == [])


def test_what_earlier_runners_left_holds_nobody_up(tmp_path: Path, slow: Slow) -> None:
    *left, fresh = folders(tmp_path, MOST_WAITING + 2)
    remover = Remover()
    remover.start(left)
    remover.take(fresh)
    slow.go_on.set()
    remover.finish()
    assert list(tmp_path.iterdir()) == []


def test_whoever_brings_one_too_many_waits_until_another_is_gone(tmp_path: Path, slow: Slow) -> None:
    *waiting, last = folders(tmp_path, MOST_WAITING + 1)
    remover = Remover()
    remover.start([])
    for folder in waiting:
        remover.take(folder)
    with ThreadPoolExecutor(1) as slot:
        taken = slot.submit(remover.take, last)
        with pytest.raises(NotYet):
            taken.result(0.2)
        slow.go_on.set()
        taken.result(20)
    remover.finish()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("slow")
def test_a_runner_that_is_asked_to_end_waits_for_no_folder(tmp_path: Path) -> None:
    *waiting, last = folders(tmp_path, MOST_WAITING + 1)
    remover = Remover()
    remover.start(waiting)
    remover._most_waiting = MOST_WAITING
    with ThreadPoolExecutor(2) as slots:
        taken, finished = slots.submit(remover.take, last), slots.submit(remover.finish)
        remover.stop()
        taken.result(20)
        finished.result(20)
    assert len(list(tmp_path.iterdir())) == MOST_WAITING + 1


def test_a_folder_that_is_gone_already_does_not_end_the_removal(tmp_path: Path) -> None:
    gone, there = tmp_path / "gone", *folders(tmp_path, 1)
    remover = Remover()
    remover.start([gone])
    remover.take(there)
    remover.finish()
    assert list(tmp_path.iterdir()) == []


def test_what_a_link_leads_to_is_neither_removed_nor_opened_up(tmp_path: Path) -> None:
    (kept := tmp_path / "kept").mkdir(mode=0o500)
    (folder,) = folders(tmp_path, 1)
    (folder / "a" / "link").symlink_to(kept)
    (folder / "a").chmod(0o500)
    removal.remove(folder)
    assert (list(tmp_path.iterdir()), kept.stat().st_mode & 0o777) == ([kept], 0o500)


def test_folders_deeper_than_a_program_s_stack_or_a_path_are_removed(tmp_path: Path) -> None:
    """A step may make them, and no other one must wait for it."""
    (folder,) = folders(tmp_path, 1)
    deep = "import os\nfor _ in range(3000):\n    os.mkdir('deep')\n    os.chdir('deep')\nos.chmod('.', 0o500)"
    subprocess.run([sys.executable, "-c", deep], cwd=folder, check=True)
    remover = Remover()
    remover.start([folder])
    remover.finish()
    assert list(tmp_path.iterdir()) == []
