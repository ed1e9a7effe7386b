"""From a build's hint to the runners' queue: what is sent where, and that sending it again changes nothing."""

from config.commands import ORCHESTRATOR
from tests.integration.tasks.system import System
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
    system.orchestrator()
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


def test_two_orchestrators_hand_out_each_step_once(system: System) -> None:
    many = [{"name": f"step-{number}"} for number in range(20)]
    planned = [system.build(*many) for _ in range(3)]
    first, second = system.start(ORCHESTRATOR), system.start(ORCHESTRATOR)
    first.wait_line(" ready.")
    second.wait_line(" ready.")
    for build in planned * 4:
        system.celery.send_task("builds.plan", (build,))
    system.wait_idle()
    sent = [arguments[0] for _, arguments in system.queued("run.default")]
    assert sorted(sent) == sorted(step for build in planned for step in system.step_ids(build))
    assert first.lines("build planned") and second.lines("build planned")


def test_every_line_about_a_step_names_project_build_step_and_attempt(system: System) -> None:
    build = system.build()
    orchestrator = system.orchestrator()
    system.celery.send_task("builds.plan", (build,))
    line = orchestrator.wait_line("step handed out")
    (step,) = system.step_ids(build)
    project = system.step(step).project_id
    assert (line["project"], line["build"], line["step"], line["attempt"]) == (project, build, step, 1)
    assert (orchestrator.wait_line("build planned")["build"], line["queue"]) == (build, "run.default")
