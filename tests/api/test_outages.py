"""Without its database the server says so at once, with 503, and works again when the database is back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.models import engines, migrate
from tests.api.rows import all_rows, assert_error
from tests.api.served import Client, served
from tests.api.test_statuses import GOOD, Case
from tests.api.world import World, make_world
from tests.support import postgres


@dataclass(frozen=True)
class Outage:
    """A world whose database goes away and comes back."""

    world: World
    begin: Callable[[], None]
    end: Callable[[], None]

    @contextmanager
    def going_on(self) -> Iterator[Client]:
        before = all_rows(self.world.client.database)
        self.begin()
        try:
            yield self.world.client
        finally:
            self.end()
        assert all_rows(self.world.client.database) == before


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def outage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outage]:
    folder = tmp_path_factory.mktemp("outage")
    make = sqlite_outage if request.param == "sqlite" else postgresql_outage
    with make(folder) as made:
        yield made


@contextmanager
def sqlite_outage(folder: Path) -> Iterator[Outage]:
    """The folder of the file is moved away; connections that were open are closed, as they would still have it."""
    place, elsewhere = folder / "here", folder / "elsewhere"
    place.mkdir()
    url = f"sqlite:///{place / 'buildserver.db'}"
    migrate.upgrade(url)
    with served(url, folder) as client:

        def begin() -> None:
            client.database.dispose()
            place.rename(elsewhere)

        yield Outage(make_world(client), begin, lambda: rename(elsewhere, place))


def rename(elsewhere: Path, place: Path) -> None:
    elsewhere.rename(place)


@contextmanager
def postgresql_outage(folder: Path) -> Iterator[Outage]:
    """The server is stopped while the pool has connections to it."""
    with postgres.running() as server, server.database() as url, served(url, folder) as client:
        yield Outage(make_world(client), server.halt, server.resume)


@pytest.mark.parametrize("case", GOOD.values(), ids=lambda case: f"{case.operation} answers 503")
def test_every_operation_says_that_the_database_is_away(
    outage: Outage, case: Case, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    with outage.going_on():
        answer = case.send(outage.world)
        assert answer.status == 503, answer
        assert_error(answer)
        request_id = answer.headers["X-Request-Id"]
        expected = f"the database cannot be used at the moment; try again (request id {request_id})"
        assert answer.body == {"error": expected}
        assert int(answer.headers["Retry-After"]) > 0
        lines = [line for line in logged() if line["event"] == "database unavailable"]
        assert [line["request_id"] for line in lines] == [request_id]


def test_what_was_refused_meanwhile_is_done_when_it_is_asked_again(outage: Outage) -> None:
    with outage.going_on() as client:
        assert client.post("/api/projects", {"accountId": "acme", "name": "later"}).status == 503
    assert client.post("/api/projects", {"accountId": "acme", "name": "later"}).status == 201
    names = [project["name"] for project in client.get("/api/projects?accountId=acme").body]
    assert names.count("later") == 1


def test_what_is_wrong_with_a_request_is_said_without_the_database(outage: Outage) -> None:
    with outage.going_on() as client:
        assert client.post("/api/projects", {}).status == 400
        assert client.get("/api/projects/x/builds").status == 404
        assert client.get("/openapi.json").status == 200


def test_the_server_is_alive_but_not_ready_without_its_database(outage: Outage) -> None:
    with outage.going_on() as client:
        assert (client.get("/healthz").status, client.get("/healthz").body) == (200, {"status": "ok"})
        answer = client.get("/readyz")
        assert (answer.status, answer.body["status"], answer.body["checks"]["broker"]) == (503, "unready", {"ok": True})
        assert answer.body["checks"]["database"]["ok"] is False
        assert answer.body["checks"]["database"]["message"] == "the database cannot be reached: OperationalError"
    everything = {"database": {"ok": True}, "broker": {"ok": True}}
    assert client.get("/readyz").body == {"status": "ready", "checks": everything}


def test_a_database_that_stands_still_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is stopped, or whose disk hangs, holds its connections and says nothing."""
    monkeypatch.setattr(engines, "ANSWER_S", 0.5)
    project = {"accountId": "acme", "name": "rocket"}
    with postgres.running() as server, server.database() as url, served(url, tmp_path) as client:
        assert client.post("/api/projects", project).status == 201
        with server.away("frozen"):
            answers = [client.get("/api/projects?accountId=acme"), client.post("/api/projects", project)]
        assert [answer.status for answer in answers] == [503, 503]
        assert all("the database cannot be used at the moment" in answer.body["error"] for answer in answers)
        assert [row["name"] for row in client.get("/api/projects?accountId=acme").body] == ["rocket"]


def test_the_server_is_not_ready_without_its_broker_and_takes_builds_all_the_same(
    lasting_url: str, tmp_path: Path
) -> None:
    with served(lasting_url, tmp_path, broker_problem="the broker cannot be reached: refused") as client:
        answer = client.get("/readyz")
        assert (answer.status, answer.body["status"]) == (503, "unready")
        assert answer.body["checks"] == {
            "database": {"ok": True},
            "broker": {"ok": False, "message": "the broker cannot be reached: refused"},
        }
        world = make_world(client)
        assert client.get(f"/api/builds/{world.build}").body["status"] == "PENDING"


def test_the_server_is_not_ready_on_a_database_without_a_schema(tmp_path: Path) -> None:
    with served(f"sqlite:///{tmp_path / 'empty.db'}", tmp_path) as client:
        answer = client.get("/readyz")
        assert (answer.status, answer.body["checks"]["database"]["ok"]) == (503, False)
        assert "python -m app.models.migrate" in answer.body["checks"]["database"]["message"]
        assert client.get("/api/docker-images").status == 500
