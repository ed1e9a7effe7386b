"""Answers that break off, at any byte: none is taken for a whole one."""

from collections.abc import Callable
from itertools import chain, count

import pytest

from tests.support.proxy import Proxy
from tests.worker.conftest import ON_SQLITE, Server
from worker.api import ApiClient, Unreachable

pytestmark = ON_SQLITE
HEAD_BYTES = 300


def first_answer(ask: Callable[[], bytes], proxy: Proxy) -> bytes:
    """What comes of the shortest answer that is not refused, which is asked for with one byte more each time."""
    for size_bytes in chain(range(HEAD_BYTES), count(HEAD_BYTES, 50)):
        proxy.cut_answers_after(size_bytes)
        try:
            return ask()
        except Unreachable:
            continue
    raise AssertionError("there is no end to it")


@pytest.mark.parametrize("part", ["checkout", "run"])
def test_a_program_that_is_cut_off_is_none(server: Server, proxy: Proxy, part: str) -> None:
    """A shell would take the beginning of one, or nothing at all, for a program that succeeds."""
    step, client = server.new_step("echo ran"), ApiClient(proxy.url)
    whole = client.program(step, part)
    assert first_answer(lambda: client.program(step, part), proxy) == whole
