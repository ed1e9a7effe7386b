"""Forks a keeper for every command, because starting a Python program for each would cost 20 ms.

One small single-threaded process per runner, with an empty environment. The runner sends it two descriptors at a time,
the keeper's socket and the command's output. It is also where a step ends up that killed its own keeper: the zygote
inherits what the keeper kept, and kills it. A keeper that the step stopped with a signal is killed likewise.
Closing the socket (so too the runner's death) ends the zygote once its last keeper is gone.

Standard library only.
"""

import gc
import os
import select
import signal
import socket

from worker import process_tree
from worker.keeper import TICK_S, drain, keep, wake_on_child

_IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # meant for the runner; we end when it does


def main() -> None:
    """Serves the socket that is this process's stdin until both it and the keepers are gone."""
    process_tree.become_subreaper()
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    gc.freeze()  # spares each fork the copies of pages that a collection would touch
    Zygote(socket.socket(fileno=0), wake_on_child()).serve()


class Zygote:
    def __init__(self, runner: socket.socket, children_changed: int) -> None:
        self._runner: socket.socket | None = runner
        self._children_changed = children_changed
        self._keepers: set[int] = set()

    def serve(self) -> None:
        """Blocks until the runner has closed its end and the keepers have done their work."""
        while self._runner or self._keepers:
            watched: list[int | socket.socket] = [self._children_changed]
            if self._runner:
                watched.append(self._runner)
            readable, _, _ = select.select(watched, [], [], TICK_S)
            drain(self._children_changed)
            self._reap()
            self._kill_orphans()
            if self._runner and self._runner in readable:
                self._hear(self._runner)
        process_tree.kill_children()

    def _hear(self, runner: socket.socket) -> None:
        _, descriptors, _, _ = socket.recv_fds(runner, 1, 2)
        if descriptors:
            self._fork(*descriptors)
        else:
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
        self._keepers.add(pid)
        os.close(control)
        os.close(output)

    def _reap(self) -> None:
        try:
            while (changed := os.waitpid(-1, os.WNOHANG | os.WUNTRACED))[0]:
                pid, status = changed
                if not os.WIFSTOPPED(status):
                    self._keepers.discard(pid)
                elif pid in self._keepers:
                    os.kill(pid, signal.SIGKILL)
        except ChildProcessError:
            pass

    def _kill_orphans(self) -> None:
        """Whatever is our child and no keeper was below a keeper that is dead."""
        process_tree.send(set(process_tree.children(os.getpid())) - self._keepers, signal.SIGKILL)
