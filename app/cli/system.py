"""The embedded system as one thing: configured, migrated, started under a supervisor, stopped with all it started.

`up` and `demo` own it. Programs get their settings through the environment; nothing of it is written to a file.
"""

import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from app.cli import embedded_redis
from app.cli.addresses import base_url, is_loopback
from app.cli.data_directory import DataDirectory
from app.cli.errors import UsageFault
from app.cli.programs import Program, leash_words, redis_program, server_programs, supervisor_config
from config.settings import Settings, load_settings

OWN_LINE = "buildserver: "
STOP_TIMEOUT_S = 9.0  # more than the programs' own stop times in a row, less than the ten seconds a person waits
API_GRACE_S = "2"


@dataclass(frozen=True)
class Plan:
    """Everything that has to be known before the first program starts. `redis_socket` is None where Redis is given."""

    settings: Settings
    environ: Mapping[str, str]
    directory: DataDirectory
    flower_port: int
    redis_socket: Path | None

    @property
    def url(self) -> str:
        return base_url(self.settings.host, self.settings.port)

    @property
    def flower_url(self) -> str:
        return base_url("127.0.0.1", self.flower_port)


def refuse_open_network(settings: Settings) -> None:
    """There is no login yet, so an address that others can reach needs an explicit word."""
    if not is_loopback(settings.host) and not settings.trust_network:
        raise UsageFault(
            f"--host {settings.host} can be reached from other machines, and there is no login: anyone there could run"
            " programs here. Set BUILDSERVER_TRUST_NETWORK=true if that network is trusted"
        )


def make_plan(environ: Mapping[str, str], flower_port: int, socket_folder: Path) -> Plan:
    """The plan that follows from the environment, which holds the command line's wishes already."""
    settings = load_settings(environ)
    embedded = {
        "BUILDSERVER_DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database_url,
        "BUILDSERVER_API_URL": base_url(settings.host, settings.port),
        "BUILDSERVER_LOG_JSON": "true",
        "FLOWER_UNAUTHENTICATED_API": "true",
        "BUILDSERVER_STOP_GRACE_S": API_GRACE_S,
    }
    if is_loopback(settings.host):
        embedded["BUILDSERVER_ALLOW_FILE_REPOS"] = environ.get("BUILDSERVER_ALLOW_FILE_REPOS", "true")
    socket = None
    if "REDIS_URL" not in environ:
        socket = socket_folder / "redis.sock"
        embedded["REDIS_URL"] = embedded_redis.url(socket)
    complete = {**environ, **embedded}
    return Plan(load_settings(complete), complete, DataDirectory(settings.data_dir), flower_port, socket)


def migrate(plan: Plan) -> None:
    """Bring the database to this version's schema. Raises UsageFault with the migration's own line if it refuses."""
    answer = subprocess.run(
        [sys.executable, "-m", "app.models.migrate"],
        cwd=plan.directory.run,
        env=dict(plan.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    (plan.directory.logs / "migrate.log").write_text(answer.stdout + answer.stderr)
    if answer.returncode != 0:
        raise UsageFault(_told(answer.stderr or answer.stdout) or "the database could not be migrated")


def _told(output: str) -> str:
    """The line that a program of ours left for the person, else its last one: a driver's words may go over several."""
    lines = output.strip().splitlines() or [""]
    own = (line.removeprefix(OWN_LINE) for line in lines if line.startswith(OWN_LINE))
    return next(own, lines[-1])


class System:
    """The supervisor and what runs under it; a context manager that leaves no process behind."""

    def __init__(self, plan: Plan, lock: IO[str]) -> None:
        self.plan = plan
        self._lock = lock
        self._supervisor: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def start(self) -> None:
        """Start the supervisor in a session of its own, so that a terminal's Ctrl-C reaches `up` alone."""
        config = self.plan.directory.run / "supervisord.conf"
        config.write_text(supervisor_config(self.programs(), self.plan.directory))
        self._supervisor = subprocess.Popen(
            [*leash_words(), sys.executable, "-m", "app.cli.supervisor", "-n", "-c", str(config)],
            cwd=self.plan.directory.run,
            env=dict(self.plan.environ),
            stdin=self._lock,  # the supervisor holds the data directory's lock as long as it lives
            stdout=subprocess.DEVNULL,
            stderr=(self.plan.directory.logs / "supervisord.log").open("ab"),  # what it says before it has a log
            start_new_session=True,
            close_fds=False,  # so it holds the locks of private folders too; Python lets nothing else be inherited
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def alive(self) -> bool:
        return self._supervisor is not None and self._supervisor.poll() is None

    def stop(self) -> None:
        """Stop every program, in order; returns when the supervisor has ended, and it ends last."""
        if self._supervisor is None or not self.alive():
            return
        self._supervisor.terminate()
        try:
            self._supervisor.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._supervisor.send_signal(signal.SIGKILL)
            self._supervisor.wait()

    def programs(self) -> list[Program]:
        """What the supervisor keeps running, each with a log of its name."""
        programs = server_programs(self.plan.settings, self.plan.flower_port)
        if self.plan.redis_socket is not None:
            programs.insert(0, redis_program(self.plan.directory, self.plan.redis_socket))
        return programs
