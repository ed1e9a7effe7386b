"""Threads that begin at one moment."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from app.domain.errors import Conflict

T = TypeVar("T")


def at_once(calls: Sequence[Callable[[], T]]) -> list[T | Conflict]:
    """What each call returned, or the conflict it ended in; a barrier lets all of them go together."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T | Conflict:
        barrier.wait()
        try:
            return call()
        except Conflict as refused:
            return refused

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def conflicts(answers: Sequence[object]) -> list[str]:
    """The codes of the conflicts among the answers, sorted."""
    return sorted(answer.code for answer in answers if isinstance(answer, Conflict))
