"""What is said where the embedded system cannot come up: the database or Redis that was named does not serve."""

import socket
from pathlib import Path

import pytest

from app.cli.data_directory import DataDirectory
from app.cli.embedded_redis import require_answer
from app.cli.errors import UsageFault
from app.cli.system import Plan, make_plan, migrate
from tests.support.redis_server import RedisServer


def plan(tmp_path: Path, **variables: str) -> Plan:
    DataDirectory(tmp_path).prepare()
    return make_plan({"BUILDSERVER_DATA_DIR": str(tmp_path), **variables}, 5, tmp_path)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


def test_a_database_that_does_not_answer_is_one_line_that_says_why(tmp_path: Path, closed_port: int) -> None:
    url = f"postgresql://me:secret@127.0.0.1:{closed_port}/builds"
    with pytest.raises(UsageFault) as caught:
        migrate(plan(tmp_path, DATABASE_URL=url))
    assert str(caught.value).startswith("the database cannot be used: ")
    assert "refused" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_database_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "buildserver.db").write_text("not a database, although it stands where one should be")
    with pytest.raises(UsageFault, match="the database cannot be used: file is not a database"):
        migrate(plan(tmp_path))
    assert (tmp_path / "buildserver.db").read_text().startswith("not a database")


def test_a_redis_that_answers_is_taken(redis_server: RedisServer) -> None:
    require_answer(redis_server.url)


def test_a_redis_that_does_not_answer_is_one_line_without_its_password(closed_port: int) -> None:
    with pytest.raises(UsageFault) as caught:
        require_answer(f"redis://:secret@127.0.0.1:{closed_port}/0")
    assert str(caught.value).startswith(
        f"the Redis of REDIS_URL, redis://***@127.0.0.1:{closed_port}/0, does not serve"
    )
    assert "secret" not in str(caught.value)


def test_something_else_in_the_place_of_redis_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.embedded_redis.ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with pytest.raises(UsageFault, match="does not serve: "):
            require_answer(url)
