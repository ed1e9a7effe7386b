"""The server's two kinds of process, made as they make themselves, and acting inside this one."""

import importlib
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any, cast

from celery import Celery
from kombu import pools
from kombu.transport.virtual import Channel, Message
from redis import Redis

from app.api.application import create_app
from app.models.database import Database
from app.models.hints import Hint
from config.settings import Settings
from tasks.celery_app import MAINTENANCE, ORCHESTRATE, make_celery, pool_queue
from tasks.relay import Relay
from tests.crashes.fuse import Fuse

SENT_WITHIN_S = 20


class Api:
    """The application with its database and its relay. Every request waits until its hints are sent, so that one and
    the same point always comes at the same place."""

    def __init__(self, settings: Settings, fuse: Fuse) -> None:
        self._fuse = fuse
        self._celery = make_celery(settings)
        self._sent: SimpleQueue[None] = SimpleQueue()
        self._relay: Relay | None = None
        self._database = Database(settings.database_url, on_hints=self._send)
        self._app = create_app(settings, self._database, lambda: None)

    def start(self) -> None:
        """In the process that is to die: the relay's thread would not come along into a child."""
        send = self._celery.send_task

        def send_and_tell(*args: Any, **kwargs: Any) -> None:
            send(*args, **kwargs)
            self._sent.put(None)

        self._celery.send_task = send_and_tell  # type: ignore[method-assign, assignment]
        self._relay = Relay(self._celery)

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The status and the body, read as JSON where it is that."""
        with self._fuse.role("API"):
            content = {"data": body} if isinstance(body, bytes) else {"json": body}
            answer = self._app.test_client().open(path, method=method, headers=headers, **content)
            return answer.status_code, answer.get_json(silent=True)

    def close(self) -> None:
        self._database.dispose()
        _disconnect(self._celery)

    def _send(self, hints: Sequence[Hint]) -> None:
        if self._relay:
            self._relay.put(hints)
            for _ in hints:
                self._sent.get(timeout=SENT_WITHIN_S)


class Mailbox:
    """Takes messages out of queues as a worker does: each is booked until it is acknowledged."""

    def __init__(self, celery: Celery) -> None:
        self._connection = celery.connection_for_read()

    @property
    def channel(self) -> Channel:
        return cast(Channel, self._connection.default_channel)

    def close(self) -> None:
        self._connection.release()

    def take(self, queue: str) -> Message:
        """A message from a queue that has one."""
        message = self.channel.basic_get(queue)
        assert message is not None, f"{queue} is empty"
        return message


class Orchestrator:
    """The module that its process runs, which takes its settings from the environment."""

    def __init__(self, fuse: Fuse) -> None:
        self._fuse = fuse
        self._module = importlib.import_module("tasks.orchestrator")
        self._mailbox = Mailbox(self._module.app)

    def ask_for_sweep(self) -> None:
        with self._fuse.role("orchestrator"):
            self._module.ask_for_sweep()

    def work(self, queue: str) -> None:
        """Do the oldest message's task and acknowledge it."""
        with self._fuse.role("orchestrator"):
            message = self._mailbox.take(queue)
            arguments = message.payload[0]
            self._module.app.tasks[message.headers["task"]].apply(arguments, throw=True)
            message.ack()

    def give_back(self) -> None:
        """What its channel does every few seconds: messages of the dead go back to their queues."""
        self._mailbox.channel.qos.restore_visible(num=100, interval=1)

    def close(self) -> None:
        self._mailbox.close()
        self._module.database.dispose()
        _disconnect(self._module.app)


def _disconnect(celery: Celery) -> None:
    """As Celery does itself in the children of its own pools."""
    pools.reset()
    celery._after_fork()  # type: ignore[attr-defined]  # its types leave it out


class Broker:
    """What is in Redis, for who looks on."""

    def __init__(self, settings: Settings) -> None:
        self._redis = Redis.from_url(settings.redis_url)
        self._prefix = settings.redis_prefix

    def waiting(self) -> list[str]:
        """The queues that hold a message, sweeps first."""
        queues = (MAINTENANCE, ORCHESTRATE, pool_queue("default"))
        with self._redis.pipeline(transaction=False) as pipeline:
            for queue in queues:
                pipeline.llen(self._prefix + queue)
            return [queue for queue, length in zip(queues, pipeline.execute(), strict=True) if length]

    def entries(self, queue: str) -> list[bytes]:
        return cast(list[bytes], self._redis.lrange(self._prefix + queue, 0, -1))

    def unacknowledged(self) -> int:
        return self._redis.hlen(f"{self._prefix}unacked")

    def age(self) -> None:
        """Let every booked message have been taken long ago."""
        index = f"{self._prefix}unacked_index"
        tags = cast(list[bytes], self._redis.zrange(index, 0, -1))
        if tags:
            self._redis.zadd(index, dict.fromkeys(tags, 1))

    def empty(self) -> None:
        self._redis.flushall()
