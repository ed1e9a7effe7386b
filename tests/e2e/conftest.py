"""One system that the tests of a module share, where they only use it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.addresses import free_port
from tests.e2e.running import Running, running

FIRST_PORT = 20_000 + os.getpid() % 400 * 20
"""Test processes that run side by side, of this suite or another, look for free ports in ranges of their own: two that
look in the same range find the same port. All ranges lie below those that the kernel gives to clients."""


@pytest.fixture
def port() -> int:
    """A port that is free, and the next one for Flower; away from those of a system that a person runs."""
    return free_port("127.0.0.1", FIRST_PORT)


@pytest.fixture(scope="module")
def module_port() -> int:
    return free_port("127.0.0.1", FIRST_PORT)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, module_port: int) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("up") / "data"
    with running(folder, "up", "--port", str(module_port)) as started:
        yield started


@pytest.fixture
def examples() -> Path:
    return Path(__file__).parents[2] / "examples"
