"""Does to an installation what a storm says, each strike in a thread of its own, as real faults overlap."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

import redis

from tests.chaos.installation import Installation, Place
from tests.chaos.storm import Fault, Strike

MOST_AT_ONCE = 32
ANSWER_BYTES = 200
"""Enough for an answer's head, so that the connection breaks in the middle of it."""


class Standing(Protocol):
    """What can stand still for a while."""

    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


@dataclass(frozen=True)
class Kill:
    """A SIGKILL: of which place's program, and when, by the clock of the machine."""

    place: str
    at: float


class Striker:
    """`fired` counts what was really done: a strike may find nothing to hit. `kills` has each SIGKILL."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self.fired: Counter[str] = Counter()
        self.kills: list[Kill] = []
        self._server = threading.Lock()
        self._broker = threading.Lock()

    def strike(self, strike: Strike) -> None:
        acts: dict[Fault, Callable[[Strike], object]] = {
            Fault.KILL: self._kill,
            Fault.TERM: self._term,
            Fault.STOP: self._stop,
            Fault.FLUSH: self._flush,
            Fault.REDIS_RESTART: self._restart_redis,
            Fault.REDIS_FREEZE: self._freeze_redis,
            Fault.DATABASE_RESTART: self._restart_database,
            Fault.DATABASE_FREEZE: self._freeze_database,
            Fault.DROP: self._drop,
            Fault.DOUBLE: self._double,
            Fault.DELAY: self._delay,
            Fault.LOSE_ANSWERS: self._lose_answers,
            Fault.PARTITION: self._partition,
        }
        if acts[strike.fault](strike) is not False:
            self.fired[strike.fault.value] += 1

    def _place(self, strike: Strike) -> Place:
        places = self._installation.of_role(strike.role)
        return places[strike.number % len(places)]

    def _kill(self, strike: Strike) -> bool:
        place = self._place(strike)
        if not place.send(signal.SIGKILL):
            return False
        self.kills.append(Kill(place.name, time.time()))
        return True

    def _term(self, strike: Strike) -> bool:
        return self._place(strike).send(signal.SIGTERM)

    def _stop(self, strike: Strike) -> bool:
        """The main process alone stands still; what it started goes on, as on a machine that swaps."""
        return self._place(strike).pause(strike.lasts_s)

    def _flush(self, _: Strike) -> bool:
        return self._tell_redis(lambda client: client.flushall())

    def _restart_redis(self, _: Strike) -> None:
        with self._broker:
            self._installation.broker.stop()
            self._installation.start(self._installation.broker.start)

    def _freeze_redis(self, strike: Strike) -> None:
        with self._broker, _standing(self._installation.broker, strike.lasts_s):
            pass

    def _restart_database(self, _: Strike) -> None:
        if server := self._installation.database:
            with self._server:
                server.halt()
                self._installation.start(server.resume)

    def _freeze_database(self, strike: Strike) -> None:
        if server := self._installation.database:
            with self._server, _standing(server, strike.lasts_s):
                pass

    def _drop(self, strike: Strike) -> bool:
        return self._tell_redis(lambda client: client.delete(self._queue(strike)))

    def _double(self, strike: Strike) -> bool:
        queue = self._queue(strike)
        return self._tell_redis(lambda client: [client.lpush(queue, entry) for entry in client.lrange(queue, 0, -1)])

    def _delay(self, strike: Strike) -> bool:
        """Held back, and given back in another order."""
        held: list[bytes | str] = []
        queue = self._queue(strike)

        def take(client: redis.Redis) -> bool:
            held.extend(client.lrange(queue, 0, -1))
            return bool(client.delete(queue))

        if not self._tell_redis(take):
            return False
        time.sleep(strike.lasts_s)
        random.Random(strike.number).shuffle(held)
        return self._tell_redis(lambda client: [client.lpush(queue, entry) for entry in held])

    def _lose_answers(self, strike: Strike) -> None:
        """Of the next requests of runners: they are carried out, and their answers cut off."""
        if proxy := self._installation.proxy:
            proxy.cut_answers_after(ANSWER_BYTES * (strike.number % 5))
            time.sleep(1)
            proxy.restore()

    def _partition(self, strike: Strike) -> None:
        if proxy := self._installation.proxy:
            proxy.drop()
            time.sleep(strike.lasts_s)
            proxy.restore()

    def _queue(self, strike: Strike) -> str:
        queues = self._installation.queues
        return queues[strike.number % len(queues)]

    def _tell_redis(self, act: Callable[[redis.Redis], object]) -> bool:
        """False where it is away, or there was nothing to hit."""
        with (
            suppress(redis.RedisError),
            redis.Redis.from_url(self._installation.broker.url, socket_timeout=2) as client,
        ):
            return bool(act(client))
        return False


@contextmanager
def _standing(server: Standing, seconds: float) -> Iterator[None]:
    server.freeze()
    try:
        time.sleep(seconds)
        yield
    finally:
        server.thaw()


class Weather(threading.Thread):
    """Lets a storm loose, from now on; `join` returns when it is over and everything stands on its feet again.

    After `clear` no further strike is dealt.

    `broken` has the errors of strikes that could not be dealt: faults of this harness, which void the storm.
    """

    def __init__(self, striker: Striker, strikes: list[Strike]) -> None:
        super().__init__(name="weather")
        self._striker, self._strikes = striker, strikes
        self.broken: list[BaseException] = []
        self._cleared = threading.Event()

    def run(self) -> None:
        began = time.monotonic()
        with ThreadPoolExecutor(MOST_AT_ONCE) as hands:
            dealt = []
            for strike in self._strikes:
                if self._cleared.wait(max(0.0, began + strike.at_s - time.monotonic())):
                    break
                dealt.append(hands.submit(self._striker.strike, strike))
        self.broken = [error for each in dealt if (error := each.exception())]

    def clear(self) -> None:
        self._cleared.set()
