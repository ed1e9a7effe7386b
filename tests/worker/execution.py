"""A command of a test's own folder, run by a real executor, and what became of it."""

import os
from pathlib import Path

from worker.clock import clock
from worker.keeper import Order
from worker.lease import Lease
from worker.marked import MARK
from worker.process_executor import Ending, ProcessExecutor

LONG_S = 60.0
DAEMON = "setsid sleep 1000 & "


def naming(keeper: str) -> str:
    """The beginning of a script that has a name for each process above it."""
    return (
        'parent_of() { read -r _ _ _ parent _ < "/proc/$1/stat"; echo "$parent"; }\n'
        f"keeper={keeper}; zygote=$(parent_of $keeper); guard=$(parent_of $zygote)\n"
    )


class Execution:
    def __init__(self, executor: ProcessExecutor, folder: Path) -> None:
        self.executor, self.folder = executor, folder
        self.output = b""
        self.lease = Lease(clock() + LONG_S)

    def run(self, script: str, limit_s: float = LONG_S, grace_s: float = 0.2) -> Ending:
        order = Order(
            argv=["/bin/bash", "-c", script],
            cwd=str(self.folder),
            environ={"PATH": os.environ["PATH"]},
            mark=str(self.folder),
            limit_at=clock() + limit_s,
            grace_s=grace_s,
        )
        return self.executor.execute(order, self.lease, self.take)

    def take(self, content: bytes) -> None:
        self.output += content

    def left(self) -> list[str]:
        mark = f"{MARK}={self.folder}".encode()
        return [path.name for path in Path("/proc").glob("[0-9]*") if mark in environ_of(path)]


def environ_of(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""
