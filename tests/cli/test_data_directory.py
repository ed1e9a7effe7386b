"""The data directory: its lock, its folders, and what makes a place unfit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.data_directory import SOCKET_PATH_BYTES, DataDirectory
from app.cli.errors import UsageFault


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    return DataDirectory(tmp_path / "data")


def test_only_its_owner_can_look_into_it(directory: DataDirectory) -> None:
    directory.prepare()
    modes = {path.stat().st_mode & 0o777 for path in (directory.path, directory.logs, directory.run, directory.redis)}
    assert modes == {0o700}


def test_a_second_claim_names_who_has_it(directory: DataDirectory) -> None:
    with directory.claimed(), pytest.raises(UsageFault) as caught, DataDirectory(directory.path).claimed():
        pass
    expected = f"{directory.path} is in use by `buildserver up` (process {os.getpid()}): stop it, or give --data-dir"
    assert str(caught.value) == expected


def test_it_can_be_claimed_again_once_it_is_given_up(directory: DataDirectory) -> None:
    with directory.claimed():
        pass
    with directory.claimed() as lock:
        assert not lock.closed


def test_a_claim_waits_for_the_programs_of_a_holder_that_is_gone(directory: DataDirectory) -> None:
    """The heir holds the lock by its standard input, as the supervisor does; it ends while the claim is waiting."""
    with directory.claimed() as lock:
        heir = subprocess.Popen(
            [sys.executable, "-c", "print(1, flush=True); import time; time.sleep(0.5)"], stdin=lock
        )
    (directory.run / "up.lock").write_text(str(_ended_process()))
    with directory.claimed():
        assert heir.poll() is not None


def _ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("name", ["50%", 'a"b', "a;b", "a#b", "a\nb"])
def test_a_name_that_the_supervisor_would_misread_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageFault, match="the name must not contain"):
        DataDirectory(tmp_path / name).prepare()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageFault, match="Not a directory"):
        DataDirectory(tmp_path / "file" / "data").prepare()


def test_sockets_are_in_the_run_folder() -> None:
    directory = DataDirectory(Path("/tmp/x"))
    with directory.socket_folder() as folder:
        assert folder == directory.run


@pytest.mark.parametrize("name", ["long" * 30, "a blank", "ä", "?", "%"])
def test_where_its_path_is_long_or_strange_sockets_are_in_a_private_folder(name: str) -> None:
    with DataDirectory(Path("/tmp") / name).socket_folder() as folder:
        assert len(os.fsencode(folder / "redis.sock")) <= SOCKET_PATH_BYTES
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_a_file_in_its_place_is_said_to_be_no_folder(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine")
    with pytest.raises(UsageFault, match=r"data is not a folder$"):
        DataDirectory(tmp_path / "data").prepare()
    assert (tmp_path / "data").read_text() == "mine"


def test_a_lock_that_cannot_be_written_is_one_line(directory: DataDirectory) -> None:
    """A folder stands in for a file without permission, which is no obstacle for root."""
    directory.prepare()
    (directory.run / "up.lock").mkdir()
    with pytest.raises(UsageFault, match=r"data: Is a directory \(.*up\.lock\)"), directory.claimed():
        pass
