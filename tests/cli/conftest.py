"""A settings value, and a client of a server that gives the answers a test wrote down."""

from collections.abc import Iterator

import pytest

from app.cli.client import ApiClient
from config.settings import Settings, load_settings
from tests.support.scripted_server import Script, scripted_server


@pytest.fixture
def settings() -> Settings:
    return load_settings({"HOME": "/home/nobody"})


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def client(script: Script) -> Iterator[ApiClient]:
    """A client of a server that follows the script."""
    with scripted_server(script) as url:
        yield ApiClient(url)
