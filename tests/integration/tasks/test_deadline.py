"""A task that never ends costs its worker, and not its message."""

import subprocess

import pytest

from tests.integration.tasks.system import System
from tests.support.program import Program


@pytest.fixture
def worker(system: System) -> Program:
    program = system.start(("celery", "--quiet", "-A", "tests.integration.tasks.stuck", "worker"))
    program.wait_line(" ready.")
    return program


def test_a_worker_whose_task_is_stuck_ends_and_says_where_and_the_message_stays(
    system: System, worker: Program
) -> None:
    system.celery.send_task("endless")
    assert worker.process.wait(20) == 1
    assert "stuck.py" in worker.text
    assert "in endless" in worker.text
    assert system.unacknowledged() == 1


def test_tasks_that_are_long_only_together_and_a_worker_that_waits_are_let_be(system: System, worker: Program) -> None:
    for _ in range(5):
        system.celery.send_task("slow")
    system.wait_idle()
    with pytest.raises(subprocess.TimeoutExpired):
        worker.process.wait(2)  # its limit is one second
