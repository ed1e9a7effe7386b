"""The API over real HTTP, on each database, with a broker that nobody reads."""

import io
import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from config.logging import configure_logging
from config.settings import load_settings
from tests.api.served import Client, served
from tests.api.world import World, diamond, make_world, new_image, new_project, new_workflow


@pytest.fixture
def client(database_url: str, tmp_path: Path) -> Iterator[Client]:
    with served(database_url, tmp_path) as client:
        yield client


@pytest.fixture
def project(client: Client) -> str:
    new_image(client)
    return new_project(client, "rocket")


@pytest.fixture
def workflow(client: Client, project: str) -> str:
    """A diamond."""
    return new_workflow(client, project, diamond())


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lasting_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database of the module's own on each of the two systems, for tests that leave it as it is."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        yield f"sqlite:///{shutil.copy(template, tmp_path_factory.mktemp('lasting') / 'buildserver.db')}"
        return
    with request.getfixturevalue("postgres").database() as url:
        yield url


@pytest.fixture(scope="module")
def world(lasting_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """What the tests of a module share: requests that are refused leave it as it is."""
    with served(lasting_url, tmp_path_factory.mktemp("world")) as client:
        yield make_world(client)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What the server has logged during the test, as its own logging writes it to standard error."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    configure_logging(load_settings({"BUILDSERVER_LOG_JSON": "true"}))
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines() if line.startswith("{")]
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()
