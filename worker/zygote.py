"""Forks a keeper for every command, because starting a Python program for each would cost 20 ms.

One small single-threaded process per runner, with an empty environment. The runner sends it two descriptors at a time,
the keeper's socket and the command's output. It is also where a step ends up that killed its own keeper: the zygote
inherits what the keeper kept, and kills it. A keeper that the step stopped with a signal is killed likewise.
Closing the socket (so too the runner's death) ends the zygote once its last keeper is gone; so does the death of the
guard above it, for the runner to start both anew.

Standard library only.
"""

import os
import select
import signal
import socket

from worker import process_tree
from worker.keeper import TICK_S, drain, keep


class Zygote:
    def __init__(self, runner: socket.socket, children_changed: int, guard: int) -> None:
        self._runner: socket.socket | None = runner
        self._children_changed = children_changed
        self._guard = guard

    def serve(self) -> None:
        """Blocks until the runner has closed its end and the keepers have done their work."""
        while process_tree.reap() or self._runner:
            process_tree.send(process_tree.strangers(), signal.SIGKILL)
            watched: list[int | socket.socket] = [self._children_changed, *([self._runner] if self._runner else [])]
            readable, _, _ = select.select(watched, [], [], TICK_S)
            drain(self._children_changed)
            if self._runner and os.getppid() != self._guard:
                self._let_go(self._runner)
            elif self._runner and self._runner in readable:
                self._hear(self._runner)

    def _hear(self, runner: socket.socket) -> None:
        _, descriptors, _, _ = socket.recv_fds(runner, 1, 2)
        if descriptors:
            self._fork(*descriptors)
        else:
            self._let_go(runner)

    def _let_go(self, runner: socket.socket) -> None:
        runner.close()
        self._runner = None

    def _fork(self, control: int, output: int) -> None:
        pid = os.fork()
        if pid == 0:
            assert self._runner
            self._runner.close()  # or the runner would not notice the zygote's death
            os.close(self._children_changed)
            keep(control, output)
            os._exit(0)
        os.close(control)
        os.close(output)
