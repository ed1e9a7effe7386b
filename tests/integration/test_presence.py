"""No runner counts as lost while it could not be heard, by the database's clock and by the rows alone."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from app.domain.retry import LOST_ATTEMPTS
from app.domain.vocabulary import Reason
from app.models import ApiPresence
from app.models.clock import database_now
from app.models.database import Database
from app.services import leases, planning, presence
from app.services.endings import Outcome
from app.services.leases import Claimant
from tests.integration.plant import Plant

LEASE_S = 30.0


class Api:
    """The only API, as the database knows it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def note(self) -> bool:
        return self.database.transact(presence.note, LEASE_S)

    def passes(self, seconds: float) -> None:
        """Time goes by without a note: the row is older then. Negative where the clock is put back."""
        past = timedelta(seconds=seconds)
        row = self.database.read(lambda session: session.scalars(select(ApiPresence)).one())
        moved = update(ApiPresence).values(since=row.since - past, seen_at=row.seen_at - past)
        self.database.transact(lambda session: session.execute(moved))

    def notes_for(self, seconds: int) -> None:
        for _ in range(0, seconds, 2):
            self.passes(2)
            self.note()

    def appears(self) -> None:
        """After a gap it is there again, and for a whole lease no judge."""
        assert not self.allows_verdicts
        assert self.note()
        self.notes_for(28)
        assert not self.allows_verdicts
        self.notes_for(4)
        assert self.allows_verdicts

    def now(self) -> datetime:
        return self.database.read(database_now)

    @property
    def allows_verdicts(self) -> bool:
        return self.database.read(presence.allows_verdicts, LEASE_S)


@pytest.fixture
def api(database: Database) -> Api:
    return Api(database)


def test_nobody_is_lost_before_there_was_an_api(plant: Plant) -> None:
    step_id = plant.planned({"a": []}).steps["a"]
    plant.claim(step_id)
    plant.age(step_id, "lease_expires_at")
    plant.age(step_id, "deadline_at")
    assert plant.database.read(leases.overdue, LEASE_S) == []
    assert plant.overdue() == [(step_id, 1)]


def test_an_api_allows_verdicts_once_it_was_there_for_a_lease(api: Api) -> None:
    api.appears()


def test_an_api_that_is_away_stops_all_verdicts_and_begins_anew(api: Api) -> None:
    api.note()
    api.notes_for(40)
    api.passes(11)
    api.appears()


def test_a_note_that_is_a_little_late_is_no_gap(api: Api) -> None:
    api.note()
    api.notes_for(40)
    api.passes(9)
    assert api.allows_verdicts
    assert not api.note()
    assert api.allows_verdicts


@pytest.mark.parametrize("jump_s", [600, -600])
def test_a_clock_that_jumps_is_as_good_as_a_gap(api: Api, jump_s: int) -> None:
    api.note()
    api.notes_for(40)
    api.passes(jump_s)
    assert not api.allows_verdicts
    assert api.note()
    assert not api.allows_verdicts


def test_where_the_clock_is_put_back_a_lost_runner_is_missed_no_later(plant: Plant, api: Api) -> None:
    """Those that send no heartbeats hold an attempt for as long as the step may take, whatever the clock says."""
    heard, silent = (plant.planned({"a": []}).steps["a"] for _ in range(2))
    plant.claim(heard)
    plant.claim(silent, Claimant("by hand"))
    api.note()
    for step_id in (heard, silent):
        plant.age(step_id, "lease_expires_at", -7_200)
    api.passes(-600)
    assert api.note()
    left = {
        step_id: (plant.attempts(step_id)[0].lease_expires_at - api.now()).total_seconds()
        for step_id in (heard, silent)
    }
    assert left[heard] <= LEASE_S
    assert left[silent] > 3_600


def test_where_the_clock_is_put_back_no_lost_message_is_missed_later(plant: Plant, api: Api) -> None:
    unplanned, waiting = plant.build({"a": []}), plant.planned({"a": [], "b": []})
    sent, unsent = waiting.steps.values()
    plant.take_back([each for each in plant.dispatch(waiting.build) if each.step_id == unsent])
    api.note()
    plant.age_build(unplanned.build, -7_200)
    for step_id in (sent, unsent):
        plant.age_step(step_id, -7_200)
    api.passes(-600)
    assert api.note()
    assert list(plant.database.read(planning.unplanned)) == [unplanned.build]
    due = [plant.run_of(step_id).redispatch_at for step_id in (sent, unsent)]
    assert all(at is not None and at <= api.now() for at in due)


def test_an_api_that_was_away_cuts_no_pause_short_however_short_the_leases_are(plant: Plant) -> None:
    step_id = plant.planned({"a": []}).steps["a"]
    for _ in range(LOST_ATTEMPTS - 1):
        plant.run(step_id, Outcome(False, Reason.LOST))
    pause_ends = plant.run_of(step_id).redispatch_at
    for passed_s in (0, 20):
        Api(plant.database).passes(passed_s)
        plant.database.transact(presence.note, 1.0)
    assert plant.run_of(step_id).redispatch_at == pause_ends


def test_several_apis_are_one(api: Api, database: Database) -> None:
    """One that stops while another is there makes no gap."""
    other = Api(database)
    api.note()
    api.notes_for(20)
    for _ in range(10):
        api.passes(3)
        assert not other.note()
    assert api.allows_verdicts
