"""Stands above the zygote, so that a step which kills zygote and keeper still has somebody above it.

The runner starts this program; it forks the zygote, lets go of everything else, and waits. If the zygote dies, the
guard inherits the keepers, which go on, and whatever a dead keeper kept, which it kills. It ends when nothing is left
below it. A zygote or keeper that somebody stopped is killed: a step cannot hold its own end up.

Standard library only.
"""

import gc
import os
import select
import signal
import socket

from worker import process_tree
from worker.keeper import TICK_S, drain, wake_on_child
from worker.zygote import Zygote

GIVE_UP = signal.SIGUSR1
"""Asks the guard to kill its zygote; the keepers go on."""
_IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # meant for the runner; we end when it does


def main() -> None:
    """Serves the socket that is this process's stdin until both it and the keepers are gone."""
    process_tree.become_subreaper()
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    gc.freeze()  # spares each fork the copies of pages that a collection would touch
    zygote = _fork_zygote()
    os.close(0)  # or the runner would not notice the zygote's death
    signal.signal(GIVE_UP, lambda *_: _kill_child(zygote))
    _hold(wake_on_child())


def _fork_zygote() -> int:
    guard = os.getpid()
    pid = os.fork()
    if pid == 0:
        process_tree.become_subreaper()
        Zygote(socket.socket(fileno=0), wake_on_child(), guard).serve()
        os._exit(0)
    return pid


def _hold(children_changed: int) -> None:
    while process_tree.reap():
        process_tree.send(process_tree.strangers(), signal.SIGKILL)
        select.select([children_changed], [], [], TICK_S)
        drain(children_changed)


def _kill_child(pid: int) -> None:
    """Once it was waited for its number may be somebody else's."""
    process_tree.send({pid} & set(process_tree.children(os.getpid())), signal.SIGKILL)
