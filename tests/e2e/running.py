"""A `buildserver` that runs in the background, and every process that belongs to it.

Processes are recognised by their environment: programs carry the data directory there, and steps a home below it. A
Redis writes its title over its environment, wherever its socket lies; it is recognised by the folder that it works in.
So nothing that a test started can hide by changing its parent or its session.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

DEADLINE_S = 60.0
POLL_S = 0.05
STOP_DEADLINE_S = 10.0
FOREIGN = ("DATABASE_URL", "REDIS_URL", "ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS")
"""The last ones come from `make test ARGS=…`, and its words are not for a `make` that a test runs."""


T = TypeVar("T")


def until(probe: Callable[[], T], what: str, deadline_s: float = DEADLINE_S) -> T:
    """The probe's first answer that is true; fails by name once the deadline is over."""
    give_up_at = time.monotonic() + deadline_s
    while not (answer := probe()):
        assert time.monotonic() < give_up_at, f"not within {deadline_s:.0f} s: {what}"
        time.sleep(POLL_S)
    return answer


class Running:
    """One `up` or `demo` with a data directory of its own; its output goes to a file."""

    def __init__(self, data_dir: Path, *arguments: str, **variables: str) -> None:
        self.data_dir = data_dir
        self._output = data_dir.with_name(f"{data_dir.name}.{time.monotonic_ns()}.out")
        command = [*BUILDSERVER, *arguments, "--data-dir", str(data_dir)]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env={**environment(), **variables}
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def wait_ready(self) -> None:
        until(lambda: self._said("Server is ready after") or self.process.poll() is not None, "the system is ready")
        assert self._said("Server is ready after"), self.output

    def url(self, name: str) -> str:
        """An address that it printed: `API`, `API docs` or `Flower`."""
        found = re.search(rf"^  {name} +(http\S+)$", self.output, re.MULTILINE)
        assert found is not None, self.output
        return found[1]

    def processes(self) -> dict[int, str]:
        """Every living process of it, by id, with its command line."""
        return self.left(self.data_dir)

    @staticmethod
    def left(data_dir: Path) -> dict[int, str]:
        return dict(living(data_dir))

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_gone(self, deadline_s: float = STOP_DEADLINE_S) -> None:
        give_up_at = time.monotonic() + deadline_s
        self.process.wait(deadline_s)
        while left := self.processes():
            assert time.monotonic() < give_up_at, f"left after {deadline_s:.0f} s: {left}"
            time.sleep(POLL_S)

    def _said(self, words: str) -> bool:
        return words in self.output


BUILDSERVER = (sys.executable, "-m", "app.cli")


@contextmanager
def running(data_dir: Path, *arguments: str, **variables: str) -> Iterator[Running]:
    """A ready system that is gone afterwards."""
    started = Running(data_dir, *arguments, **variables)
    try:
        started.wait_ready()
        yield started
    finally:
        started.send(signal.SIGTERM)
        started.wait_gone(2 * STOP_DEADLINE_S)


def buildserver(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    command = [*BUILDSERVER, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment(), cwd=cwd, timeout=DEADLINE_S, check=False
    )


def environment() -> dict[str, str]:
    """This process's environment without what would lead a system to another one's parts."""
    root = str(Path(__file__).parents[2])
    kept: Mapping[str, str] = {
        name: value for name, value in os.environ.items() if name not in FOREIGN and not name.startswith("BUILDSERVER_")
    }
    return {**kept, "PYTHONPATH": root}


def kill_parents_first(processes: Collection[int]) -> None:
    """A parent that outlived its children would start others in their place."""
    for process_id in sorted(processes, key=lambda process_id: parent(process_id) in processes):
        with suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)


def parent(process_id: int) -> int:
    """The parent's id; 0 where the process is gone."""
    try:
        return int(_stat(Path(f"/proc/{process_id}"))[1])
    except OSError:
        return 0


def living(data_dir: Path) -> Iterator[tuple[int, str]]:
    """Processes of the data directory; zombies are dead."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if _stat(folder)[0] != "Z" and _belongs(folder, data_dir):
                yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue


def _belongs(folder: Path, data_dir: Path) -> bool:
    named = os.fsencode(data_dir) in (folder / "environ").read_bytes()
    return named or (folder / "cwd").readlink().is_relative_to(data_dir)


def _stat(folder: Path) -> list[str]:
    """The fields after the name, which may hold anything: state, parent, and so on."""
    return (folder / "stat").read_text().rpartition(")")[2].split()
