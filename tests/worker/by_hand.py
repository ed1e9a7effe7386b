"""`python -m worker` as a real process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.worker.conftest import Server

ROOT = Path(__file__).parents[2]


class ByHand:
    """Runs steps by hand, with a data folder of its own. `words` begin what Python is told, as after `python`."""

    def __init__(self, server: Server, folder: Path, words: tuple[str, ...] = ("-m", "worker")) -> None:
        self.server, self.folder, self._words = server, folder, words
        self.environ = {
            "PATH": os.environ["PATH"],
            "BUILDSERVER_DATA_DIR": str(folder),
            "BUILDSERVER_KILL_GRACE_S": "0.2",
            "BUILDSERVER_HEARTBEAT_S": "0.2",
            "BUILDSERVER_RUNNER_NAME": "by-test",
            "PYTHONPATH": str(ROOT),
        }

    @contextmanager
    def start(self, *words: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
        """The process, which does not outlive the block."""
        with subprocess.Popen(
            [sys.executable, *self._words, *words],
            env={**self.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                process.kill()

    def run(self, *words: str, **environ: str) -> tuple[int, str, str]:
        with self.start(*words, **environ) as process:
            output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors

    def start_step(self, step: str, **environ: str) -> AbstractContextManager[subprocess.Popen[str]]:
        return self.start(step, "--api-url", self.server.client.url, **environ)

    def step(self, step: str) -> tuple[int, str, str]:
        return self.run(step, "--api-url", self.server.client.url)
