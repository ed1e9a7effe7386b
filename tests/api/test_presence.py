"""While the database is away heartbeats are answered all the same, so that no runner ends a step for it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import ApiPresence
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
