"""Folders of this process's own below the temporary one, gone when it ends, and when it is killed, gone with the next.

Each holds a lock file. Whoever may still use the folder holds the lock, the supervisor included, which inherits it; so
a lock that can be had belongs to a folder that nobody needs.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from app.cli.file_lock import try_lock

PREFIX = "buildserver-tmp-"
LOCK = "owner.lock"


@contextmanager
def private_folder(parent: Path) -> Iterator[Path]:
    """A new folder that only its owner can read."""
    folder, lock = _make(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def remove_abandoned(parent: Path) -> None:
    """Remove this user's folders that nobody needs any more: those of processes that were killed."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.stat(follow_symlinks=False).st_uid == os.geteuid():
                _remove_if_abandoned(folder)


def _remove_if_abandoned(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()  # killed before there was a lock; fails where there is one
        return
    with (folder / LOCK).open("r+") as lock:
        if try_lock(lock):
            shutil.rmtree(folder, ignore_errors=True)


def _make(parent: Path) -> tuple[Path, IO[str]]:
    """The folder and its lock, which is held. Until then another process may take it for abandoned: then a new one."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        with suppress(FileNotFoundError):
            lock = (folder / LOCK).open("w")
            if try_lock(lock) and (folder / LOCK).exists():
                os.set_inheritable(lock.fileno(), True)
                return folder, lock
            lock.close()
