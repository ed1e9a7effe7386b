"""Watches an embedded system come up: each part is asked itself whether it is ready, until all are or one fails."""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import urllib3
from urllib3.exceptions import HTTPError

from app.cli.client import ApiClient
from app.cli.errors import StartupFailed
from app.cli.log_tail import LogTail
from app.cli.system import Plan, System, migrate

DEADLINE_S = 60.0
POLL_S = 0.05
EXITS_ALLOWED = 2  # a program that ends a third time before all are ready will not get better
TAIL_LINES = 12
WORKER_READY = " ready."  # what Celery logs once a worker takes tasks


@dataclass
class Part:
    """A program to wait for; `ready_after_s` is None until it has answered. `needed` ones delay the readiness."""

    name: str
    is_ready: Callable[[], bool]
    needed: bool = True
    ready_after_s: float | None = None


class Startup:
    """The wait for one system. It reads only what the logs gain from the time it was made."""

    def __init__(self, plan: Plan, began: float) -> None:
        """`began` is when the person started waiting, by the monotonic clock; times are counted from there."""
        self._plan = plan
        self._began = began
        self._supervisor_log = LogTail(plan.directory.logs / "supervisord.log")
        self._migrated = False
        self._exits: dict[str, int] = {}
        self.parts = self._make_parts()

    def bring_up(self, system: System, show: Callable[[list[Part]], None]) -> float:
        """Migrate, start and wait; `show` is called again and again. Returns the seconds since the beginning.

        Raises StartupFailed with the end of the culprit's log, UsageFault where the database cannot be used.
        """
        show(self.parts)
        migrate(self._plan)
        self._migrated = True
        system.start()
        while True:
            for part in self.parts:
                if part.ready_after_s is None and part.is_ready():
                    part.ready_after_s = time.monotonic() - self._began
            show(self.parts)
            if all(part.ready_after_s is not None for part in self.parts if part.needed):
                return time.monotonic() - self._began
            self._check(system)
            time.sleep(POLL_S)

    def _make_parts(self) -> list[Part]:
        logs = self._plan.directory.logs
        client, flower = ApiClient(self._plan.url), f"{self._plan.flower_url}/healthcheck"
        parts = [
            Part("database", lambda: self._migrated),
            Part("api", client.ready),
            Part("orchestrator", _line_seen(LogTail(logs / "orchestrator.log"), WORKER_READY)),
            Part("runner", _line_seen(LogTail(logs / "runner.log"), WORKER_READY)),
            Part("flower", lambda: _answers(flower), needed=False),
        ]
        redis = self._plan.redis_socket
        return [*parts[:1], Part("redis", lambda: _pongs(redis)), *parts[1:]] if redis is not None else parts

    def _check(self, system: System) -> None:
        for line in self._supervisor_log.new_lines():
            words = line.partition(" exited: ")[2].split()
            if words:
                self._exits[words[0]] = self._exits.get(words[0], 0) + 1
        broken = [name for name, count in self._exits.items() if count > EXITS_ALLOWED]
        if broken:
            raise StartupFailed(self._report(broken[0], "ends again and again"))
        if not system.alive():
            raise StartupFailed(self._report("supervisord", "ended"))
        if time.monotonic() - self._began > DEADLINE_S:
            late = next(part.name for part in self.parts if part.needed and part.ready_after_s is None)
            raise StartupFailed(self._report(late, f"is not ready after {DEADLINE_S:.0f} s"))

    def _report(self, program: str, what: str) -> str:
        log = self._plan.directory.logs / f"{program}.log"
        lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:] if log.exists() else []
        return "\n".join([f"{program} {what}; the end of {log}:", *(f"  {line}" for line in lines)])


def _line_seen(tail: LogTail, wanted: str) -> Callable[[], bool]:
    return lambda: any(wanted in line for line in tail.new_lines())


def _pongs(path: Path) -> bool:
    """Whether a Redis answers on the socket, and has loaded what it kept."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(os.fspath(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _answers(url: str) -> bool:
    try:
        return urllib3.request("GET", url, timeout=1.0, retries=False).status == HTTPStatus.OK
    except HTTPError:
        return False
