"""A thread that asks for a sweep every few seconds, in every orchestrator; no beat process is needed."""

import random
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from tasks.broker_watch import BrokerWatch

JITTER = 0.2
"""Orchestrators started together drift apart by up to this share of the interval each time."""


class Ticker:
    """Calls `tick` every `interval_s`, until stopped; a broker that is away is waited for."""

    def __init__(self, interval_s: float, tick: Callable[[], object]) -> None:
        self._interval_s = interval_s
        self._tick = tick
        self._broker = BrokerWatch()
        self._stop_requests: SimpleQueue[None] = SimpleQueue()

    def start(self) -> None:
        """Begin, at once with the first tick: what an earlier process left open is found on start."""
        threading.Thread(target=self._run, name="sweep ticker", daemon=True).start()

    def request_stop(self) -> None:
        """For a signal handler: it takes no lock, as the thread it interrupts may hold any of them."""
        self._stop_requests.put(None)  # of all queues this one may interrupt itself

    def pause_s(self) -> float:
        """How long until the next tick."""
        return self._interval_s * random.uniform(1 - JITTER, 1 + JITTER)

    def _run(self) -> None:
        while True:
            with self._broker.sending():
                self._tick()
            if self._is_asked_to_stop_within(self.pause_s()):
                return

    def _is_asked_to_stop_within(self, timeout_s: float) -> bool:
        try:
            self._stop_requests.get(timeout=timeout_s)
        except Empty:
            return False
        return True
