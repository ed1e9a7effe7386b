"""Starts the zygote that this process's commands share, again if it should die, and has it fork keepers."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

from worker.keeper_link import KeeperLink

_IMPORT_ROOT = str(Path(__file__).resolve().parents[1])
_BOOT = "import sys; sys.path.append(sys.argv[1]); from worker.zygote import main; main()"

_NO_ENVIRONMENT: dict[str, str] = {}


class ZygoteClient:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def fork_keeper(self, output: int) -> KeeperLink:
        """A new keeper that waits for its order; `output` remains the caller's to close."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._send(theirs.fileno(), output)
        return KeeperLink(ours)

    def start(self) -> None:
        """Spares the first command the wait; idempotent."""
        with self._lock:
            self._started()

    def restart(self) -> None:
        """Kills the zygote, if there is one; keepers at work go on."""
        with self._lock:
            self._end(kill=True)

    def close(self) -> None:
        """Lets the zygote end once its last keeper has."""
        with self._lock:
            self._end(kill=False)

    def _send(self, *descriptors: int) -> None:
        with self._lock:
            try:
                socket.send_fds(self._started(), [b"k"], descriptors)
            except (BrokenPipeError, ConnectionResetError):  # it was killed
                self._end(kill=True)
                socket.send_fds(self._started(), [b"k"], descriptors)

    def _started(self) -> socket.socket:
        if self._socket is None:
            self._socket, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", _BOOT, _IMPORT_ROOT],
                    stdin=theirs.fileno(), stdout=subprocess.DEVNULL, env=_NO_ENVIRONMENT,
                    cwd="/", start_new_session=True,
                )  # fmt: skip
        return self._socket

    def _end(self, *, kill: bool) -> None:
        if self._socket is None or self._process is None:
            return
        self._socket.close()
        self._socket = None
        if kill:
            self._process.kill()
        self._process.wait()
