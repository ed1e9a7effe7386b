"""From a build's hint to the runners' queue: what is sent where, and that sending it again changes nothing."""

from functools import partial

from config import commands
from tests.integration.tasks.system import System
from tests.integration.tasks.test_deaths import locked
from tests.support.program import Program
from tests.support.wait import eventually

POOLS = ({"name": "compile"}, {"name": "flash", "pool": "lab-2"}, {"name": "pack", "dependsOn": ["compile"]})


def test_a_planned_build_s_first_steps_are_in_their_pools_queues(system: System) -> None:
    build = system.build(*POOLS)
    compile_step, flash, _ = system.step_ids(build)
    system.orchestrator()
    system.celery.send_task("builds.plan", (build,))
    eventually(lambda: system.queued("run.default") and system.queued("run.lab-2"))
    assert system.queued("run.default") == [("steps.run", [compile_step, 1])]
    assert system.queued("run.lab-2") == [("steps.run", [flash, 1])]
    assert system.statuses(build) == ["PENDING", "READY", "READY", "PENDING"]


def test_a_dispatch_sends_what_was_not_sent_yet_and_nothing_twice(system: System) -> None:
    build = system.build()
    system.orchestrator()
    for task in ("builds.dispatch", "builds.plan", "builds.dispatch"):
        system.celery.send_task(task, (build,))
    eventually(lambda: system.queued("run.default"))
    system.wait_idle()
    assert system.queued("run.default") == [("steps.run", [*system.step_ids(build), 1])]
    assert system.step(system.step_ids(build)[0]).dispatches == 1


def test_a_message_delivered_three_times_changes_nothing_more(system: System) -> None:
    build = system.build(*POOLS)
    orchestrator = system.orchestrator()
    system.celery.send_task("builds.plan", (build,))
    eventually(lambda: system.queued("run.lab-2"))
    system.wait_idle()
    before = (system.statuses(build), system.audit_entries(), [system.queued(q) for q in ("run.default", "run.lab-2")])
    for task in ("builds.plan", "builds.dispatch", "maintenance.sweep"):
        for _ in range(3):
            system.celery.send_task(task, () if task == "maintenance.sweep" else (build,))
    system.wait_idle()
    after = (system.statuses(build), system.audit_entries(), [system.queued(q) for q in ("run.default", "run.lab-2")])
    assert after == before
    assert [line for line in orchestrator.lines() if line["level"] in ("warning", "error")] == []


def is_planning(orchestrator: Program, build: str) -> bool:
    return build in {line["build"] for line in orchestrator.lines("planning")}


def test_two_orchestrators_that_plan_a_build_at_once_hand_out_each_step_once(system: System) -> None:
    """Both are held up in the middle, and then go on together."""
    both = [system.start(commands.orchestrator(), BUILDSERVER_LOG_LEVEL="DEBUG") for _ in range(2)]
    for each in both:
        each.wait_line(" ready.")
    eventually(lambda: sum(len(each.lines("swept")) for each in both) == 2)
    system.wait_idle()
    builds = [system.build(*({"name": f"step-{number}"} for number in range(50))) for _ in range(5)]
    for build in builds:
        with locked(system, build):
            for _ in both:
                system.celery.send_task("builds.plan", (build,))
            for each in both:
                eventually(partial(is_planning, each, build), describe=lambda: both[0].text + both[1].text)
        system.wait_idle()
    sent = [arguments[0] for _, arguments in system.queued("run.default")]
    assert sorted(sent) == sorted(step for build in builds for step in system.step_ids(build))


def test_every_line_about_a_step_names_project_build_step_and_attempt(system: System) -> None:
    build = system.build()
    orchestrator = system.orchestrator()
    system.celery.send_task("builds.plan", (build,))
    line = orchestrator.wait_line("step handed out")
    (step,) = system.step_ids(build)
    project = system.step(step).project_id
    assert (line["project"], line["build"], line["step"], line["attempt"]) == (project, build, step, 1)
    assert (orchestrator.wait_line("build planned")["build"], line["queue"]) == (build, "run.default")
