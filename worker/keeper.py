"""Keeps one step's processes: starts them, ends them, and says how they ended, even if everything around it dies.

A keeper is a process of its own, forked by the zygote for one command. The runner talks to it over one socket:

    runner → keeper   an order (JSON), then any of `fence CLOCK` (be gone by then, unless told a later one) and
                      `stop SECONDS` (SIGTERM now, SIGKILL after so many seconds); end of file: the runner is dead
    keeper → runner   {"started": PID}, and when no process of the step is left, one of
                      {"exit": STATUS}, {"signal": NUMBER}, {"killed": "timeout" | "fence" | "stop"}

The keeper never trusts the step to cooperate and never blocks on anything but its own poll. It knows no REST, reads no
output, and imports only the standard library.
"""

import json
import math
import os
import select
import signal
from contextlib import suppress
from typing import TypedDict

from worker import process_tree
from worker.clock import clock
from worker.marked import MARK

ORPHAN_GRACE_S = 2.0  # the runner died: nobody waits for this step any more
TICK_S = 1.0  # poll's timer stands still while the machine sleeps
READ_BYTES = 65536
CANNOT_EXECUTE = 127  # what a shell answers

Report = dict[str, int | str]

_OWN_SIGNALS = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


class Order(TypedDict):
    """What to run, and until when at most, by `worker.clock`; `mark` is added to the environment."""

    argv: list[str]
    cwd: str
    environ: dict[str, str]
    mark: str
    limit_at: float
    grace_s: float


def keep(control: int, output: int) -> None:
    """The whole life of a keeper; owns both descriptors. Returns when the step's tree is gone and reported."""
    process_tree.become_subreaper()
    children_changed = wake_on_child()
    line, _, rest = _read_order(control).partition(b"\n")
    if not line:
        return
    order: Order = json.loads(line)
    main = _start(order, output)
    os.close(output)  # or the runner would never see its end
    _report(control, {"started": main})
    watch = Watch(order, main, control, children_changed)
    watch.obey(rest)
    _report(control, watch.until_gone())


def wake_on_child() -> int:
    """A descriptor that turns readable whenever a child of this process ends or stops."""
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler nothing is written
    inherited = signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    if inherited >= 0:
        os.close(inherited)
    return readable


def drain(readable: int) -> None:
    with suppress(BlockingIOError):
        os.read(readable, READ_BYTES)


class Watch:
    """The rules by which a step's tree ends: by itself, at its limit, when told to, or at the fence."""

    def __init__(self, order: Order, main: int, control: int, children_changed: int) -> None:
        self._main = main
        self._control = control
        self._children_changed = children_changed
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._poll.register(children_changed, select.POLLIN)
        self._grace_s = order["grace_s"]
        self._limit_at = order["limit_at"]
        self._fence_at = math.inf
        self._kill_at = math.inf
        self._unread = b""
        self._status: int | None = None
        self._killed: str | None = None
        self._empty = False

    def until_gone(self) -> Report:
        """Blocks until no process is left (or SIGKILL proves useless); returns the report."""
        self._reap()
        while not self._is_over():
            due = min(self._limit_at, self._fence_at, self._kill_at) - clock()
            self._wait(min(max(due, 0.0), TICK_S))
        if not process_tree.TRACEABLE:
            self._signal_tree(signal.SIGKILL)
        process_tree.kill_children()
        return self._ending()

    def obey(self, words: bytes) -> None:
        """Follows every complete line; an unfinished one waits for its rest."""
        *lines, self._unread = (self._unread + words).split(b"\n")
        for line in lines:
            command, value = line.split()
            if command == b"fence":
                self._fence_at = float(value)
            elif command == b"stop":
                self._terminate("stop", float(value))

    def _is_over(self) -> bool:
        """Also starts what is due: the order of the questions is the order of precedence."""
        now = clock()
        if self._killed is None:
            if self._status is not None:
                return True
            if now >= self._limit_at:
                self._limit_at = math.inf
                self._terminate("timeout", self._grace_s)
        if now >= self._fence_at:
            self._killed = self._killed or "fence"
            return True
        return now >= self._kill_at or (self._empty and self._killed is not None)

    def _terminate(self, why: str, grace_s: float) -> None:
        self._kill_at = min(self._kill_at, clock() + grace_s)
        if self._killed is None:
            self._killed = why
            self._limit_at = math.inf
            self._signal_tree(signal.SIGTERM)

    def _wait(self, seconds: float) -> None:
        for descriptor, _ in self._poll.poll(math.ceil(seconds * 1000)):
            if descriptor == self._control:
                self._hear()
            else:
                drain(self._children_changed)
        self._reap()

    def _hear(self) -> None:
        try:
            words = os.read(self._control, READ_BYTES)
        except ConnectionResetError:
            words = b""
        if words:
            self.obey(words)
        else:
            self._poll.unregister(self._control)
            self._terminate("stop", ORPHAN_GRACE_S)

    def _reap(self) -> None:
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._main:
                    self._status = ended[1]
        except ChildProcessError:
            self._empty = True

    def _signal_tree(self, number: signal.Signals) -> None:
        below = process_tree.descendants(os.getpid()) if process_tree.TRACEABLE else [-self._main]
        process_tree.send(below, number)

    def _ending(self) -> Report:
        if self._killed is not None or self._status is None:
            return {"killed": self._killed or "stop"}
        if os.WIFSIGNALED(self._status):
            return {"signal": os.WTERMSIG(self._status)}
        return {"exit": os.WEXITSTATUS(self._status)}


def _read_order(control: int) -> bytes:
    order = b""
    while b"\n" not in order and (words := os.read(control, READ_BYTES)):
        order += words
    return order if b"\n" in order else b""


def _report(control: int, report: Report) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # the runner is dead
        os.write(control, json.dumps(report).encode() + b"\n")


def _start(order: Order, output: int) -> int:
    keeper = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(order, output, keeper)
    return pid


def _become(order: Order, output: int, keeper: int) -> None:
    """In the forked child: turns it into the command, in a session of its own, with nothing of ours but the output."""
    try:
        os.setsid()
        process_tree.die_with(keeper)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for number in _OWN_SIGNALS:
            signal.signal(number, signal.SIG_DFL)  # ignored ones would stay ignored in the command
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.chdir(order["cwd"])
        os.execve(order["argv"][0], order["argv"], {**order["environ"], MARK: order["mark"]})
    except OSError as error:
        os.write(2, f"» cannot start {order['argv'][0]}: {error.strerror}\n".encode(errors="replace"))
    finally:
        os._exit(CANNOT_EXECUTE)
