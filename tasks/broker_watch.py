"""Tells of a broker that cannot be reached: once when it goes and once when it is back, however often it was tried."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

UNREACHABLE = (OperationalError, RedisError, OSError)
"""kombu turns what it knows into the first; a full or half-started Redis answers with errors of its own."""


class BrokerWatch:
    """For one thread. Whatever is sent inside `sending` may be lost: the sweep finds the work in the rows."""

    def __init__(self) -> None:
        self._away = False

    @contextmanager
    def sending(self, **about: Any) -> Iterator[None]:
        """Swallows that the broker cannot be reached; `about` is logged with it."""
        try:
            yield
        except UNREACHABLE as error:
            if not self._away:
                log.warning("broker unreachable; the sweep will find the work", error=str(error), **about)
            self._away = True
            return
        if self._away:
            log.info("broker is back")
        self._away = False
