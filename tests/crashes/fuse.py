"""Counts the points at which a process can die, and lets it die at one of them, as SIGKILL would end it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from redis import Redis
from redis.client import Pipeline
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

CRASHED = 77
"""The exit status of a process that died at its point."""


@dataclass
class Fuse:
    """Everything between two points is done or not done as a whole; what is nobody's role is the harness' own doing.

    `last_words` is called at the fatal point: it stands for what others than the dying process still know.
    """

    fatal: int | None = None
    last_words: Callable[[str], None] = print
    passed: list[str] = field(default_factory=list)
    _role: str | None = None

    @contextmanager
    def role(self, name: str) -> Iterator[None]:
        """What happens inside is done by this role."""
        before, self._role = self._role, name
        try:
            yield
        finally:
            self._role = before

    def hit(self, point: str) -> None:
        """A point of the current role."""
        if self._role is None:
            return
        self.passed.append(f"{self._role}: {point}")
        if len(self.passed) == self.fatal:
            self.last_words(self.passed[-1])
            os._exit(CRASHED)

    @contextmanager
    def around(self, what: str) -> Iterator[None]:
        """A point before and a point after something."""
        self.hit(f"before {what}")
        yield
        self.hit(f"after {what}")

    def lay(self) -> None:
        """Find every statement, commit and broker call of this process from now on."""

        def before(*_: object) -> None:
            self.hit("before a statement")

        def after(*_: object) -> None:
            self.hit("after a statement")

        event.listen(Engine, "before_cursor_execute", before)
        event.listen(Engine, "after_cursor_execute", after)
        self._wrap(DefaultDialect, "do_commit", "a commit")
        self._wrap(Redis, "execute_command", "a broker call")
        self._wrap(Pipeline, "execute", "a broker call")

    def _wrap(self, owner: type, name: str, what: str) -> None:
        original = getattr(owner, name)

        @wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self.around(what):
                return original(*args, **kwargs)

        setattr(owner, name, wrapped)
