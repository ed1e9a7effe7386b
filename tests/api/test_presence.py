"""While the database is away heartbeats are answered all the same, so that no runner ends a step for it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.api import presence
from app.models import ApiPresence, engines
from tests.api.served import Answer, Client, served
from tests.api.world import make_world
from tests.support import postgres
from tests.support.wait import eventually

LEASE_S = 3.0
SETTINGS = {"BUILDSERVER_LEASE_S": str(LEASE_S), "BUILDSERVER_HEARTBEAT_S": "1"}


@dataclass(frozen=True)
class Outage:
    """An API that notes its presence, a step run claimed there, and a database that can go away in one way."""

    client: Client
    step: str
    server: postgres.PostgresServer
    way: str

    def away(self) -> AbstractContextManager[None]:
        return self.server.away(self.way)

    def heartbeat(self, attempt: int = 1) -> Answer:
        return self.client.post(f"/api/runner/{self.step}/heartbeat", {"runner": "r", "attempt": attempt})

    def leases_stand(self) -> bool:
        return self.client.presence.leases_stand()


def _is_noted(session: Session) -> bool:
    return session.scalars(select(ApiPresence.since)).one().year > 1970


@pytest.fixture(params=["stopped", "frozen"])
def outage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outage]:
    with postgres.running() as server, server.database() as url, served(url, tmp_path, **SETTINGS) as client:
        step = make_world(client).steps["a"]
        client.post(f"/api/runner/{step}/claim", {"runner": "r", "heartbeats": True})
        client.presence.start()
        eventually(lambda: client.database.read(_is_noted))
        yield Outage(client, step, server, request.param)


def test_heartbeats_are_answered_while_the_database_is_away_and_judged_when_it_is_back(outage: Outage) -> None:
    assert outage.heartbeat(2).status == 409
    assert not outage.leases_stand()
    with outage.away():
        eventually(outage.leases_stand)
        for attempt in (1, 2):
            answer = outage.heartbeat(attempt)
            assert (answer.status, answer.body) == (200, {"cancel": False, "leaseSeconds": LEASE_S})
    eventually(lambda: not outage.leases_stand())
    assert outage.heartbeat(1).status == 200
    assert outage.heartbeat(2).status == 409


def test_what_is_wrong_with_a_heartbeat_is_said_without_the_database(outage: Outage) -> None:
    with outage.away():
        eventually(outage.leases_stand)
        assert outage.heartbeat(0).status == 400
    eventually(lambda: not outage.leases_stand())


def test_an_api_that_never_reached_its_database_answers_for_nobody(client: Client) -> None:
    assert not client.presence.leases_stand()


def test_a_database_that_stands_still_is_asked_by_nobody_until_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else requests would hold all threads, and no heartbeat would be answered in time."""
    monkeypatch.setattr(engines, "ANSWER_S", 0.5)
    monkeypatch.setattr(presence, "SILENT_S", 0.5)
    monkeypatch.setitem(engines.LIVENESS, "connect_timeout", 2)
    with postgres.running() as server, server.database() as url, served(url, tmp_path, **SETTINGS) as client:
        make_world(client)
        client.presence.start()
        eventually(lambda: client.database.read(_is_noted))
        asked: list[object] = []
        with server.away("frozen"):
            eventually(client.presence.database_is_silent)
            client.database.read = asked.append  # type: ignore[assignment,method-assign]
            assert client.get("/api/projects?accountId=acme").status == 503
            checks = client.get("/readyz").body["checks"]
        assert checks["database"] == {"ok": False, "message": "the database cannot be reached: DatabaseSilent"}
        del client.database.read
        assert asked == []
        eventually(lambda: client.get("/api/projects?accountId=acme").status == 200)


def test_a_database_that_says_what_is_wrong_is_not_silent(
    tmp_path: Path, lasting_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that somebody has locked, say, can be read."""
    monkeypatch.setattr(presence, "SILENT_S", 0.5)
    noted: list[int] = []

    def note(session: Session, _lease_s: float) -> bool:
        noted.append(1)
        session.execute(text("SELECT nonsense FROM nowhere"))
        return False

    with served(lasting_url, tmp_path, **SETTINGS) as client:
        client.presence.start()
        eventually(lambda: client.database.read(_is_noted))
        monkeypatch.setattr("app.services.presence.note", note)
        eventually(lambda: len(noted) > 5)
        assert not client.presence.database_is_silent()


def test_however_long_leases_are_presence_is_noted_often(tmp_path: Path, lasting_url: str) -> None:
    with served(lasting_url, tmp_path, BUILDSERVER_LEASE_S="3600") as client:
        client.presence.start()
        eventually(lambda: client.database.read(_is_noted))
        first = client.database.read(_seen_at)
        eventually(lambda: client.database.read(_seen_at) > first)


def _seen_at(session: Session) -> datetime:
    return session.scalars(select(ApiPresence.seen_at)).one()
