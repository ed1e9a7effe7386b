"""A program of ours that a test starts as a real process, with its log kept and its whole session killed at the end."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.wait import eventually

ROOT = Path(__file__).parents[2]
STOP_DEADLINE_S = 20.0


class Program:
    """The words of `config/commands.py`, run by this Python. What it prints, on either stream, is its log."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str], log: Path) -> None:
        self.log = log
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*leash, sys.executable, "-m", *words],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
                cwd=log.parent,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """What it logged as JSON; only the lines of one event if that is given."""
        found = [json.loads(line) for line in self.text.splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in found if event in line["event"]]

    def wait_line(self, event: str) -> dict[str, Any]:
        """The first line of an event, waited for."""
        return eventually(lambda: self._alive_and(event), describe=lambda: f"{event!r} in\n{self.text}")[0]

    def _alive_and(self, event: str) -> list[dict[str, Any]]:
        found = self.lines(event)
        assert found or self.process.poll() is None, self.text
        return found

    def send(self, number: signal.Signals) -> None:
        """To its main process alone."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """Ask it to end, and wait for that; its exit status."""
        self.send(signal.SIGTERM)
        return self.process.wait(STOP_DEADLINE_S)

    def kill(self) -> None:
        """End its whole session, whatever state it is in."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
