"""Starts the guard with the zygote that this process's commands share, again if need be, and has keepers forked."""

import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from worker.guard import GIVE_UP
from worker.keeper_link import KeeperLink

_IMPORT_ROOT = str(Path(__file__).resolve().parents[1])
_BOOT = "import sys; sys.path.append(sys.argv[1]); from worker.guard import main; main()"

_NO_ENVIRONMENT: dict[str, str] = {}


class ZygoteClient:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guards: list[subprocess.Popen[bytes]] = []  # the newest last; others live while they have keepers
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
        """Gives up the zygote, if there is one; keepers at work go on."""
        with self._lock:
            self._let_go()

    def close(self) -> None:
        """Lets the zygote end once its last keeper has, and waits for that."""
        with self._lock:
            if self._socket:
                self._socket.close()
                self._socket = None
            for guard in self._guards:
                guard.send_signal(signal.SIGCONT)  # a step may have stopped it
                guard.wait()

    def _send(self, *descriptors: int) -> None:
        with self._lock:
            try:
                socket.send_fds(self._started(), [b"k"], descriptors)
            except (BrokenPipeError, ConnectionResetError):  # it was killed
                self._let_go()
                socket.send_fds(self._started(), [b"k"], descriptors)

    def _started(self) -> socket.socket:
        if self._socket is None:
            self._guards = [guard for guard in self._guards if guard.poll() is None]
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    self._guards.append(_start_guard(theirs.fileno()))
                except OSError:
                    ours.close()
                    raise
            self._socket = ours
        return self._socket

    def _let_go(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None
            for number in (GIVE_UP, signal.SIGCONT):  # stopped, it hears the one after the other
                self._guards[-1].send_signal(number)


def _start_guard(stdin: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _BOOT, _IMPORT_ROOT],
        stdin=stdin, stdout=subprocess.DEVNULL, env=_NO_ENVIRONMENT, cwd="/", start_new_session=True,
    )  # fmt: skip
