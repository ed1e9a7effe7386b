"""A real Redis for tests, found the way `up` finds its own, on a unix socket."""

import shlex
import shutil
import signal

import redis

from app.cli import embedded_redis
from tests.support import server_process
from tests.support.wait import eventually

STOP = signal.SIGTERM
FLEETS = ["--appendonly", "yes", "--appendfsync", "everysec"]
"""As in docker-compose.yml."""


class RedisServer:
    """A Redis that can be stopped and started again: on what it kept, as a fleet's, or on nothing, as `up`'s own."""

    def __init__(self, keeps: bool = False) -> None:
        self._options = FLEETS if keeps else []
        self._folder = server_process.short_folder("redis")
        self.socket = self._folder / "redis.sock"
        self.url = embedded_redis.url(self.socket)
        self.start()

    def start(self) -> None:
        command = embedded_redis.command(embedded_redis.find_server(), self._folder, self.socket)
        self._process = server_process.start([*shlex.split(command), *self._options], self._folder / "log", STOP)
        eventually(self._answers, describe=(self._folder / "log").read_text)

    def stop(self) -> None:
        server_process.stop(self._process, STOP)

    def freeze(self) -> None:
        """It stays connected and answers nothing, as behind a network that lost it."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def remove(self) -> None:
        """Stop it for good, with all it kept."""
        self.thaw()
        self.stop()
        shutil.rmtree(self._folder)

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False
