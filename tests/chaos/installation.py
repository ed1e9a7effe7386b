"""A whole installation of real programs, kept running as a supervisor would: what died is started again."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from config import commands
from tests.chaos.logs import LIMIT_BYTES
from tests.support import postgres
from tests.support.databases import migrated
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.program import Program
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.wait import eventually

LOOK_EVERY_S = 0.1
STARTED_S = 120.0
READY = " ready."
"""Celery's word in a worker's log."""
ORCHESTRATORS = 2
QUEUES = ("buildserver:orchestrate", "buildserver:run.default")
"""What the faults of messages strike, by their keys in Redis."""
TIMES = {
    "BUILDSERVER_LEASE_S": "6",
    "BUILDSERVER_HEARTBEAT_S": "1",
    "BUILDSERVER_CLAIM_DEADLINE_S": "3",
    "BUILDSERVER_SWEEP_INTERVAL_S": "1",
    "BUILDSERVER_KILL_GRACE_S": "0.5",
    "BUILDSERVER_STOP_GRACE_S": "3",
}
"""A fifth of the defaults: a storm of a minute then is one of five."""
LIMITS = {"BUILDSERVER_LOG_LIMIT_BYTES": str(LIMIT_BYTES), "BUILDSERVER_LOG_JSON": "true"}


class Broker(Protocol):
    """What a fault may do to Redis."""

    url: str

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...
    def flush(self) -> None: ...


@dataclass
class Place:
    """Where one program runs, whatever happens to it: its words, its variables, and how often it was started."""

    name: str
    role: str
    words: Sequence[str]
    environ: dict[str, str]
    log: Path
    starts: int = 0
    program: Program | None = None

    def ensure(self) -> None:
        """Start it, unless it runs."""
        if self.program is None or self.program.process.poll() is not None:
            if self.program:
                self.program.kill()  # what its main process left of its session
            self.program = Program(self.words, self.environ, self.log)
            self.starts += 1

    def send(self, number: signal.Signals) -> bool:
        """To the program's main process; whether there is one to hit."""
        if self.program is None or self.program.process.poll() is not None:
            return False
        self.program.send(number)
        return True

    def pause(self, seconds: float) -> bool:
        """The main process stands still for so long; whether there was one."""
        program = self.program
        if program is None or not self.send(signal.SIGSTOP):
            return False
        time.sleep(seconds)
        if program.process.poll() is None:
            program.send(signal.SIGCONT)
        return True


@dataclass
class Installation:
    """The programs, and what stands between them. Nothing runs before `kept`. Without an API there is no proxy."""

    folder: Path
    broker: Broker
    places: list[Place]
    queues: Sequence[str] = QUEUES
    api_url: str = ""
    proxy: Proxy | None = None
    database: PostgresServer | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _looking: threading.Lock = field(default_factory=threading.Lock)
    _retired: set[str] = field(default_factory=set)
    _starter: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def of_role(self, role: str) -> list[Place]:
        return [place for place in self.places if place.role == role]

    def start(self, start: Callable[[], None]) -> None:
        """Start a server in the one thread that lives as long as all this: a server dies with its starter."""
        self._starter.submit(start).result()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """While inside, whatever dies is started again."""
        keeper = threading.Thread(target=self._keep)
        keeper.start()
        try:
            yield
        finally:
            self._over.set()
            keeper.join()
            for place in self.places:
                if place.program:
                    place.program.kill()

    def wait_until_ready(self) -> None:
        """Until every worker takes messages: a storm over programs that only start proves nothing."""
        workers = [place for place in self.places if "worker" in place.words]
        eventually(lambda: all(place.log.exists() and READY in place.log.read_text() for place in workers), STARTED_S)

    def retire(self, *roles: str) -> None:
        """End the programs of these roles for good, so that what is read from now on belongs together."""
        with self._looking:
            self._retired |= {*roles}
            for place in self.places:
                if place.role in roles and place.program:
                    place.program.kill()

    def _keep(self) -> None:
        while not self._over.is_set():
            with self._looking:
                for place in self.places:
                    if place.role not in self._retired:
                        place.ensure()
            self._over.wait(LOOK_EVERY_S)


@contextmanager
def installed(folder: Path, on_postgresql: bool, runners: int, slots: int) -> Iterator[Installation]:
    """An installation with a migrated database; its programs start once it is kept."""
    with ExitStack() as stack:
        broker = RedisServer(keeps=True)
        stack.callback(broker.remove)
        server = stack.enter_context(postgres.running()) if on_postgresql else None
        database_url = stack.enter_context(server.database() if server else migrated("sqlite", folder))
        port = free_port()
        proxy = Proxy("127.0.0.1", port)
        stack.callback(proxy.close)
        environ = {**TIMES, **LIMITS, "DATABASE_URL": database_url, "REDIS_URL": broker.url}
        places = list(_places(folder, environ, port, proxy.url, runners, slots))
        api_url = f"http://127.0.0.1:{port}"
        yield Installation(folder, broker, places, api_url=api_url, proxy=proxy, database=server)


def _places(
    folder: Path, environ: dict[str, str], port: int, runners_url: str, runners: int, slots: int
) -> Iterator[Place]:
    """Runners reach the API through the proxy; each program has a folder of its own, as on machines of their own."""
    api = {**environ, "BUILDSERVER_PORT": str(port)}
    yield place(folder, "api", 0, commands.API, api)
    for number in range(ORCHESTRATORS):
        yield place(folder, "orchestrator", number, commands.orchestrator(f"orchestrator-{number}"), environ)
    for number in range(runners):
        runner = {**environ, "DATABASE_URL": "", "BUILDSERVER_API_URL": runners_url, "BUILDSERVER_RUNNERS": str(slots)}
        yield place(folder, "runner", number, commands.runner(f"runner-{number}"), runner)


def place(folder: Path, role: str, number: int, words: Sequence[str], environ: dict[str, str]) -> Place:
    """A place with a folder of its own."""
    name = f"{role}-{number}"
    home = folder / name
    home.mkdir()
    named = {"BUILDSERVER_DATA_DIR": str(home), "BUILDSERVER_RUNNER_NAME": name}
    return Place(name, role, words, {**environ, **named}, home / "log")
