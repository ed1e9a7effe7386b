"""SQLite's file may be locked by a program that is not ours: a request waits for it once, and is told to come again."""

from pathlib import Path

from app.models import migrate
from tests.api.rows import all_rows, assert_error
from tests.api.served import served
from tests.api.world import make_world


def test_a_write_that_a_stranger_s_lock_keeps_waiting_is_answered_503_before_the_client_gives_up(
    tmp_path: Path,
) -> None:
    """The client here waits for 20 s, SQLite for 10; five waits of its would be too long."""
    url = f"sqlite:///{tmp_path / 'buildserver.db'}"
    migrate.upgrade(url)
    with served(url, tmp_path) as client:
        world = make_world(client)
        path, body = f"/api/projects/{world.project}/builds", {"workflowId": world.workflow}
        before = all_rows(client.database)
        stranger = client.database.engine.raw_connection()
        stranger.cursor().execute("BEGIN IMMEDIATE")
        try:
            answer = client.post(path, body)
        finally:
            stranger.rollback()
            stranger.close()
        assert (answer.status, int(answer.headers["Retry-After"]) > 0) == (503, True)
        assert_error(answer)
        assert all_rows(client.database) == before
        assert client.post(path, body).status == 201
