"""A step that has its last words while the server is away."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.proxy import Proxy
from tests.support.wait import eventually
from tests.worker.conftest import Server
from worker.attempt import Outcome
from worker.runner import Runner

SCRIPT = "echo begun; until [ -e '{0}' ]; do sleep 0.05; done; echo last words"
FIRST = b"begun\n"
ALL = FIRST + b"last words\n"


@dataclass(frozen=True)
class Unheard:
    """Its first word has arrived at the server, which then went away. The runner is still at it."""

    step: str
    outcome: Future[Outcome | None]


@contextmanager
def unheard(server: Server, runner: Runner, proxy: Proxy, folder: Path) -> Iterator[Unheard]:
    """Within the block the server is away, unless it brings it back; at its end it is, and the step has ended."""
    end = folder / "end"
    step = server.new_step(SCRIPT.format(end))
    with ThreadPoolExecutor(1) as slot:
        outcome = slot.submit(runner.run, step)
        eventually(lambda: server.log(step) == FIRST)
        proxy.refuse()
        end.touch()
        try:
            yield Unheard(step, outcome)
        finally:
            proxy.restore()
