"""Private folders: gone at the end, and after a kill with whoever comes next, if nobody holds their lock any more."""

import os
import subprocess
import sys
from pathlib import Path

from app.cli.private_folder import LOCK, PREFIX, private_folder, remove_abandoned
from tests.e2e.running import environment

HOLDER = """\
import subprocess, sys, time
from pathlib import Path
from app.cli.private_folder import private_folder
with private_folder(Path(sys.argv[1])) as folder:
    (folder / "content").write_text("x")
    heir = subprocess.Popen(["sleep", "60"], close_fds=False, stdout=subprocess.DEVNULL)
    print(heir.pid, folder, flush=True)
    time.sleep(60)
"""


def hold(parent: Path) -> tuple[subprocess.Popen[str], int, Path]:
    """A process that has a folder, another one that it started, and the folder."""
    command = [sys.executable, "-c", HOLDER, str(parent)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    assert holder.stdout is not None
    heir, folder = holder.stdout.readline().split()
    return holder, int(heir), Path(folder)


def test_a_folder_is_its_owners_alone_and_gone_at_the_end(tmp_path: Path) -> None:
    with private_folder(tmp_path) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "content").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_a_killed_owners_folder_is_removed_once_nobody_that_it_started_needs_it(tmp_path: Path) -> None:
    holder, heir, folder = hold(tmp_path)
    remove_abandoned(tmp_path)
    assert (folder / "content").exists(), "its owner lives"
    holder.kill()
    holder.communicate()
    remove_abandoned(tmp_path)
    assert (folder / "content").exists(), "what its owner started lives"
    os.kill(heir, 9)
    while folder.exists() and _lives(heir):
        remove_abandoned(tmp_path)
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == []


def _lives(process_id: int) -> bool:
    """A zombie has let go of its locks, and nobody may be there to bury it."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_folder_whose_owner_was_killed_before_it_had_a_lock_is_removed(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}x").mkdir()
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_private_folder_stays(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}full").mkdir()
    (tmp_path / f"{PREFIX}full" / "mine").write_text("x")
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / LOCK).write_text("")
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "else")
    (tmp_path / f"{PREFIX}file").write_text("x")
    before = sorted(tmp_path.rglob("*"))
    remove_abandoned(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
