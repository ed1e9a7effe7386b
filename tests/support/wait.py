"""Waiting for what other processes and threads do: for an event with a deadline, never for a length of time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_S = 20.0
"""Ample for a loaded machine; a test that works does not come near."""
POLL_S = 0.01


def eventually(probe: Callable[[], T], deadline_s: float = DEADLINE_S, describe: str | Callable[[], str] = "") -> T:
    """The probe's first answer that is true. Fails once the deadline is over, saying what was waited for.

    `describe` may be a function, asked at the end, so that it can show how far things went.
    """
    give_up_at = time.monotonic() + deadline_s
    while not (answer := probe()):
        if time.monotonic() >= give_up_at:
            waited_for = describe() if callable(describe) else describe
            raise AssertionError(f"not within {deadline_s:g} s: {waited_for or probe}")
        time.sleep(POLL_S)
    return answer
