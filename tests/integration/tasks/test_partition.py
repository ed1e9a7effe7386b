"""A runner that reaches the broker and not the API, while another one reaches both."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.tasks.system import System
from tests.integration.tasks.ticking import Ticking
from tests.support.program import Program
from tests.support.proxy import Proxy
from tests.support.wait import eventually
from tests.worker.processes import processes_of


@pytest.fixture
def ticking(system: System, tmp_path: Path) -> Ticking:
    return Ticking(system, tmp_path)


@pytest.fixture
def proxy(system: System) -> Iterator[Proxy]:
    """The way to the API that one runner takes."""
    made = Proxy("127.0.0.1", system.port)
    yield made
    made.close()


def runs_a_build(system: System, runner: Program) -> str:
    """The name of the runner that ran the step of a new build."""
    build = system.build()
    system.celery.send_task("builds.plan", (build,))
    eventually(lambda: system.statuses(build) == ["SUCCESS", "SUCCESS"], describe=lambda: runner.text)
    (step,) = system.step_ids(build)
    return str(system.step(step).runner)


@pytest.mark.parametrize("failing", [Proxy.refuse, Proxy.drop])
def test_a_step_of_a_runner_that_is_cut_off_is_ended_and_run_by_one_that_is_not(
    ticking: Ticking, proxy: Proxy, failing: Callable[[Proxy], None]
) -> None:
    first = ticking.runner("first", BUILDSERVER_API_URL=proxy.url, BUILDSERVER_RUNNERS="1")
    ticking.wait_started(1, first)
    failing(proxy)
    second = ticking.runner("second")
    ticking.wait_started(2, second)
    assert processes_of(ticking.work_dir("first")) == []
    ticking.end(2)
    ticking.wait_succeeded()
    before = ticking.results(), ticking.trail(), ticking.printed()
    proxy.restore()
    ticking.wait_let_go("first")
    assert (ticking.results(), ticking.trail(), ticking.printed()) == before
    assert ticking.results() == ["lost", None]
    assert ticking.trail() == ["step.ready", "step.claimed", "step.expired", "step.claimed", "step.completed"]
    assert ticking.printed()[2] == b"attempt 2\n"
    assert ticking.system.statuses(ticking.build) == ["SUCCESS", "SUCCESS"]
    assert ticking.overlap() == []
    assert second.stop() == 0
    assert runs_a_build(ticking.system, first) == "first"


def test_a_message_that_only_a_runner_that_is_cut_off_takes_goes_back_for_one_that_is_not(
    ticking: Ticking, proxy: Proxy
) -> None:
    """It has a slot free when its step is given away, and nobody sends the message again."""
    first = ticking.runner("first", BUILDSERVER_API_URL=proxy.url, BUILDSERVER_RUNNERS="2")
    ticking.wait_started(1, first)
    proxy.refuse()
    first.wait_line("server unreachable")
    second = ticking.runner("second")
    ticking.wait_started(2, second)
    proxy.restore()
    ticking.wait_let_go("first")
    eventually(lambda: first.lines("step not run: the server says no"), describe=lambda: first.text)
    ticking.end(2)
    ticking.wait_succeeded()
    assert [line["attempt"] for line in ticking.orchestrator.lines("step handed out")] == [1, 2]
    assert ticking.results() == ["lost", None]
    assert second.stop() == 0
    assert runs_a_build(ticking.system, first) == "first"


def test_a_runner_that_waits_for_the_server_ends_when_asked_to_and_its_message_waits_for_another(
    system: System,
) -> None:
    (step,) = system.step_ids(system.build())
    runner = system.runner()  # there is no API at all
    system.celery.send_task("steps.run", (step, 1), queue="run.default")
    runner.wait_line("server unreachable")
    assert runner.stop() == 0
    assert system.queued("run.default") == [("steps.run", [step, 1])]
