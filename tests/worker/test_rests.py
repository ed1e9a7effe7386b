"""A runner whose machine cannot run steps leaves them to others, and looks again after longer and longer."""

from pathlib import Path

from tests.worker.conftest import ON_SQLITE, NewRunner, Server
from worker.attempt import HANDED_BACK, Outcome
from worker.rests import FIRST_S, LONGEST_S, Rests


def test_pauses_double_up_to_a_minute_and_end_with_the_first_step_that_runs() -> None:
    rests = Rests()
    pauses = [rests.pause_s]
    for _ in range(6):
        rests.fails()
        pauses.append(rests.pause_s)
    assert pauses == [0, FIRST_S, 10, 20, 40, LONGEST_S, LONGEST_S]
    rests.works()
    assert rests.pause_s == 0
    rests.fails()
    assert rests.pause_s == FIRST_S


@ON_SQLITE
def test_a_runner_without_a_work_folder_rests_after_it_handed_a_step_back(
    server: Server, new_runner: NewRunner, tmp_path: Path
) -> None:
    runner = new_runner()
    work_dir = tmp_path / "work"
    work_dir.touch()
    step = server.new_step()
    assert runner.run(step) == HANDED_BACK
    assert runner.pause_s == FIRST_S
    work_dir.unlink()
    assert runner.run(step, 2) == Outcome(exit_code=0)
    assert runner.pause_s == 0
