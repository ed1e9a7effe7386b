"""Everything that can be asked of a build, in any order, rightly and wrongly, on both databases: after each act the
answer and the rows are as `expected.py` says, and as they must be among themselves."""

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy.orm.util import identity_key

from app.domain.errors import Conflict, NotFound
from app.domain.vocabulary import Reason, RunIf, StepStatus
from app.models import Attempt, Build, StepRun
from app.services import builds, completion, leases, logs
from app.services.builds import BuildRequest
from app.services.completion import Report
from app.services.endings import Outcome
from app.services.leases import Claimant
from tests.integration.expected import Expected
from tests.integration.expected_step import StepPlan, Try
from tests.integration.plant import FAILURE, HANDED_BACK, SUCCESS, TIMES, Plant
from tests.support.consistency import Rows, broken, miscounted, rows_of

LOST, CONFIG = Outcome(False, Reason.LOST), Outcome(False, Reason.CONFIG)
UNSAID = Outcome(False, Reason.EXIT)
"""With an exit status that is not told."""
FATES = st.sampled_from([SUCCESS, SUCCESS, FAILURE, FAILURE, UNSAID, LOST, CONFIG, HANDED_BACK])
STEP = st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3])
"""A place among the steps, those with which most is going on first."""
RUNNERS = st.sampled_from(["one", "one", "two"])
CLAIMANTS = st.builds(Claimant, RUNNERS, st.sampled_from(["a", "a", "b", "b", None]), st.booleans())
INTEREST = sorted(StepStatus, key=["RUNNING", "READY", "SUCCESS", "FAILED", "SKIPPED", "CANCELLED", "PENDING"].index)
SHIFT = st.sampled_from([0, 0, 0, 0, -1, 1])
UNNUMBERED = st.sampled_from([False, False, False, True])
SIZES = settings(max_examples=30, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def plans(draw: st.DrawFn) -> list[StepPlan]:
    """Up to four steps, each depending on some of those before it."""
    return [
        StepPlan(
            draw(st.one_of(st.just(range(number)[-1:]), st.lists(st.sampled_from(range(number)), unique=True)))
            if number
            else [],
            draw(st.sampled_from([RunIf.SUCCESS, RunIf.SUCCESS, RunIf.FAILURE, RunIf.ALWAYS])),
            draw(st.sampled_from([False, False, True])),
            draw(st.sampled_from([0, 0, 1, 2])),
        )
        for number in range(draw(st.sampled_from([4, 4, 3, 2, 1])))
    ]


class Machine(RuleBasedStateMachine):
    """One build. A step is meant by its number, and an attempt by its distance (`shift`) from the current one."""

    def __init__(self, plant: Plant) -> None:
        super().__init__()
        self.plant = plant
        self.final: dict[object, object] = {}

    @initialize(drawn=plans())
    def create(self, drawn: list[StepPlan]) -> None:
        needs = {str(number): [str(needed) for needed in plan.needs] for number, plan in enumerate(drawn)}
        workflow = self.plant.workflow(needs, **{str(number): plan.fields() for number, plan in enumerate(drawn)})
        self.request = self.plant.project, BuildRequest(workflow), workflow
        self.build = self.plant.database.transact(builds.create, *self.request).id
        self.ids = [self.plant.ids(self.build).steps[name] for name in needs]
        self.expected = Expected(drawn)

    @rule()
    def ask_again_and_plan(self) -> None:
        assert self.plant.database.transact(builds.create, *self.request).id == self.build
        self.plant.plan(self.build)
        self.expected.plan()

    @rule()
    def dispatch(self) -> None:
        sent = self.plant.dispatch(self.build)
        steps = self.expected.send()
        assert {(each.step_id, each.attempt) for each in sent} == {
            (self.ids[number], self.expected.steps[number].attempt) for number in steps
        }

    @rule(step=STEP, claimant=CLAIMANTS, shift=SHIFT, unnumbered=UNNUMBERED)
    def claim(self, step: int, claimant: Claimant, shift: int, unnumbered: bool) -> None:
        number, attempt = self._which(step, shift)
        asked = None if unnumbered else attempt
        answer = self._ask(leases.claim, self.ids[number], claimant, asked, TIMES)
        assert answer == self.expected.claim(number, claimant, asked)

    @rule(claimant=CLAIMANTS, outcome=FATES)
    def run(self, claimant: Claimant, outcome: Outcome) -> None:
        """All goes well, but for the outcome: else hardly a build would come to its end."""
        self.claim(0, claimant, 0, unnumbered=False)
        self.complete(0, outcome, 0, unnumbered=False, log=b"")

    @rule(step=STEP, runner=RUNNERS, shift=SHIFT)
    def extend(self, step: int, runner: str, shift: int) -> None:
        number, attempt = self._which(step, shift)
        answer = self._ask(leases.extend, self.ids[number], runner, attempt, TIMES.lease_s)
        assert answer == self.expected.extend(number, runner, attempt)

    @rule(step=STEP, shift=SHIFT, offset=st.integers(0, 5), content=st.binary(min_size=1, max_size=4))
    def append(self, step: int, shift: int, offset: int, content: bytes) -> None:
        number, attempt = self._which(step, shift)
        answer = self._ask(logs.append, self.ids[number], attempt, offset, content)
        assert answer == self.expected.append(number, attempt, offset, content)

    @rule(step=STEP, outcome=FATES, shift=SHIFT, unnumbered=UNNUMBERED, log=st.sampled_from([b"", b"end"]))
    def complete(self, step: int, outcome: Outcome, shift: int, unnumbered: bool, log: bytes) -> None:
        number, attempt = self._which(step, shift)
        asked = None if unnumbered else attempt
        answer = self._ask(completion.complete, self.ids[number], Report(outcome, asked, log), TIMES)
        assert answer == self.expected.complete(number, outcome, asked, log)

    @rule(step=STEP, why=st.sampled_from([Reason.LOST, Reason.LOST, Reason.TIMEOUT]))
    def age(self, step: int, why: Reason) -> None:
        number, _ = self._which(step, 0)
        self.plant.age(self.ids[number], "lease_expires_at" if why is Reason.LOST else "deadline_at")
        if live := self.expected.steps[number].live:
            live.overdue.add(why)

    @rule()
    def sweep(self) -> None:
        overdue = self.plant.overdue()
        steps = enumerate(self.expected.steps)
        late = {(self.ids[number], step.attempt): number for number, step in steps if step.live and step.live.overdue}
        assert set(overdue) == set(late)
        for step_id, attempt in overdue:
            self.plant.database.transact(leases.expire, step_id, attempt, TIMES.lease_s)
            self.expected.expire(late[step_id, attempt], attempt)

    @rule(step=STEP, shift=SHIFT)
    def expire(self, step: int, shift: int) -> None:
        number, attempt = self._which(step, shift)
        answer = self._ask(leases.expire, self.ids[number], attempt, TIMES.lease_s)
        assert answer == self.expected.expire(number, attempt)

    @invariant()
    def rows_are_as_expected(self) -> None:
        rows = self.plant.database.read(rows_of, self.build)
        assert broken(rows) == []
        self._final_is_final(rows)
        expected = self.expected
        runs = [rows.runs[step_id] for step_id in self.ids]
        assert [(run.status, run.reason, run.attempt, run.dispatched_at is not None) for run in runs] == [
            (step.status, step.reason, step.attempt, step.is_sent) for step in expected.steps
        ]
        assert (rows.build.status, rows.build.status_reason) == (expected.status, expected.reason)
        assert [[shown(each, rows.log(each)) for each in rows.attempts[step_id]] for step_id in self.ids] == [
            [meant(each) for each in step.tries] for step in expected.steps
        ]
        numbers = {step_id: number for number, step_id in enumerate(self.ids)}
        assert expected.audited == {(who and numbers[who], what): times for (who, what), times in rows.audited.items()}

    def teardown(self) -> None:
        """What is overdue must not meet the next build's sweep."""
        self.plant.expire()
        assert self.plant.database.read(miscounted) == []

    def _which(self, step: int, shift: int) -> tuple[int, int]:
        steps = self.expected.steps
        order = sorted(range(len(steps)), key=lambda each: INTEREST.index(steps[each].status))
        number = order[step % len(order)]
        return number, max(self.expected.steps[number].attempt + shift, 1)

    def _ask(self, service: Callable[..., object], *args: object) -> str | None:
        """Its refusal's code."""
        try:
            self.plant.database.transact(service, *args)
        except Conflict as refused:
            return str(refused.code)
        except NotFound:
            return "not_found"
        return None

    def _final_is_final(self, rows: Rows) -> None:
        """What was final before is the same now, to its last column."""
        attempts = [each for attempts in rows.attempts.values() for each in attempts]
        everything: list[Build | StepRun | Attempt] = [rows.build, *rows.runs.values(), *attempts]
        for row in everything:
            if row.finished_at is not None:
                now = {column: value for column, value in vars(row).items() if not column.startswith("_")}
                assert self.final.setdefault((type(row), identity_key(instance=row)[1]), now) == now


def shown(attempt: Attempt, log: bytes) -> tuple[object, ...]:
    how = (attempt.status, attempt.reason, attempt.exit_code, attempt.handed_back)
    return *how, attempt.runner, attempt.claim_key, log


def meant(attempt: Try) -> tuple[object, ...]:
    claimant = attempt.claimant
    how = (attempt.status, attempt.reason, attempt.exit_code, attempt.handed_back)
    return *how, claimant.runner, claimant.key, attempt.log


@pytest.mark.timeout(400)
def test_whatever_is_asked_in_whatever_order_is_answered_and_done_as_expected(plant: Plant) -> None:
    run_state_machine_as_test(partial(Machine, plant), settings=SIZES)  # type: ignore[arg-type]  # any factory will do
