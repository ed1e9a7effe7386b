"""The data directory of an embedded system: its folders, and the lock that gives it to one `up` at a time.

The lock is a file lock, so it ends with the processes that hold it, however they end. The supervisor inherits it: a
new `up` waits until the programs of one that was killed have stopped.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.cli.errors import UsageFault
from app.cli.file_lock import try_lock
from app.cli.private_folder import private_folder

STOPPING_S = 15.0  # longer than the programs of a killed `up` take to stop
POLL_S = 0.1
SOCKET_PATH_BYTES = 100  # the kernels' limits are 108 (Linux) and 104 (macOS)
SHORT = Path("/tmp")  # what the environment names may be as long as the data directory's own path
PLAIN_PATH = re.compile(rb"[\w./~+-]+")  # what stands for itself in a URL
UNFIT = frozenset('%"\n\r\t;#')  # the supervisor's configuration gives these a meaning


@dataclass(frozen=True)
class DataDirectory:
    """Where the embedded system keeps everything; only its owner can read it."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def redis(self) -> Path:
        return self.path / "redis"

    def prepare(self) -> None:
        """Make the folders. Raises UsageFault where the place cannot be used."""
        if unfit := sorted(UNFIT & set(str(self.path))):
            raise UsageFault(f"data directory {self.path}: the name must not contain {' '.join(map(repr, unfit))}")
        try:
            for folder in (self.path, self.logs, self.run, self.redis):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError as error:
            raise UsageFault(f"data directory {self.path}: {error.filename} is not a folder") from error
        except OSError as error:
            raise UsageFault(f"data directory {self.path}: {error.strerror} ({error.filename})") from error

    def _lock_file(self) -> IO[str]:
        try:
            return (self.run / "up.lock").open("a+")
        except OSError as error:
            raise UsageFault(f"data directory {self.path}: {error.strerror} ({error.filename})") from error

    @contextmanager
    def claimed(self) -> Iterator[IO[str]]:
        """Hold the lock; gives the lock file, for the supervisor to inherit. Raises UsageFault if another has it."""
        self.prepare()
        with self._lock_file() as lock:
            _acquire(lock, self.path)
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield lock

    @contextmanager
    def socket_folder(self) -> Iterator[Path]:
        """A folder for unix sockets: the run folder, or a private one where a URL or a socket cannot take its path."""
        path = os.fsencode(self.run / "redis.sock")
        if len(path) <= SOCKET_PATH_BYTES and PLAIN_PATH.fullmatch(path):
            yield self.run
            return
        with private_folder(SHORT) as folder:
            yield folder


def _acquire(lock: IO[str], path: Path) -> None:
    deadline = time.monotonic() + STOPPING_S
    while not try_lock(lock):
        lock.seek(0)
        holder = lock.read().strip()
        if _alive(holder):
            raise UsageFault(f"{path} is in use by `buildserver up` (process {holder}): stop it, or give --data-dir")
        if time.monotonic() > deadline:
            raise UsageFault(f"{path} is still in use by programs of an earlier `buildserver up`: stop its supervisord")
        time.sleep(POLL_S)


def _alive(holder: str) -> bool:
    try:
        os.kill(int(holder), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
