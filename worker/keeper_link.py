"""The runner's end of a keeper's socket: what `worker.keeper` is told, and what it tells."""

import json
import socket
from contextlib import suppress

from worker.keeper import READ_BYTES, Order, Report

KEEPER_GONE: Report = {"killed": "keeper"}


class KeeperLink:
    """Told by any thread, heard by one. `report` says how the tree ended, once none of it is left."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._unread = b""
        self.started = False
        self.report: Report | None = None

    def fileno(self) -> int:
        return self._control.fileno()

    def close(self) -> None:
        """The keeper takes it for the runner's death: what still runs is ended."""
        self._control.close()

    def order(self, order: Order, fence_at: float) -> None:
        """Both at once: a runner that stands still in between would leave the step without a fence."""
        self._tell(f"{json.dumps(order)}\nfence {fence_at}")

    def fence(self, at: float) -> None:
        self._tell(f"fence {at}")

    def stop(self, grace_s: float) -> None:
        self._tell(f"stop {grace_s}")

    def hear(self) -> None:
        """Takes in what has arrived; blocks unless the link is readable."""
        try:
            words = self._control.recv(READ_BYTES)
        except ConnectionResetError:
            words = b""
        *lines, self._unread = (self._unread + words).split(b"\n")
        for line in lines:
            self._note(json.loads(line))
        if not words and not self.report:
            self.report = KEEPER_GONE

    def _note(self, report: Report) -> None:
        if "started" in report:
            self.started = True
        else:
            self.report = report

    def _tell(self, line: str) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # its end is heard as such
            self._control.sendall(line.encode() + b"\n")
