"""What a build looks like, on a terminal and in a pipe."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from app.cli.answers import Build
from app.cli.client import ApiClient
from app.cli.errors import ExitStatus
from app.cli.follow import follow
from app.cli.outcome import command_line, print_outcome
from app.cli.progress import Progress, standing
from app.cli.wording import RUNNER_WAIT_S, age, duration, one_line, printable, waiting, why
from tests.support.scripted_server import Script

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def step_json(
    name: str, status: str, started_s: float | None = 0, finished_s: float | None = 1, **more: Any
) -> dict[str, Any]:
    times = {"startedAt": started_s, "finishedAt": finished_s}
    written = {field: (BEGAN + timedelta(seconds=at)).isoformat() for field, at in times.items() if at is not None}
    return {
        "id": "id-" + name.replace(" ", "-"),
        "name": name,
        "status": status,
        "attempt": 1,
        "dependsOn": [],
        **written,
        **more,
    }


def build_json(status: str, *steps: dict[str, Any]) -> dict[str, Any]:
    build = {
        "id": "b1",
        "projectId": "p",
        "workflowId": "w",
        "status": status,
        "createdAt": BEGAN.isoformat(),
        "steps": list(steps),
    }
    if status in ("SUCCESS", "FAILED"):
        build |= {"startedAt": BEGAN.isoformat(), "finishedAt": (BEGAN + timedelta(seconds=6)).isoformat()}
    return build


def plain(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


FINISHED = build_json(
    "FAILED",
    step_json("compile", "SUCCESS", 0, 1.5),
    step_json("unit tests", "FAILED", 2, 5, exitCode=3, reason="exit"),
    step_json("package", "SKIPPED", None, 5, reason="dependency"),
)


def test_plain_output_is_one_line_per_settled_step_in_columns() -> None:
    console = plain()
    Progress(console).show(Build.from_json(FINISHED), BEGAN)
    assert printed(console).splitlines() == [
        "SUCCESS    compile           1.5 s",
        "FAILED     unit tests        3.0 s  exit 3",
        "SKIPPED    package                  a step before it failed",
    ]


def test_a_settled_step_is_printed_once_in_the_order_of_finishing() -> None:
    console = plain()
    progress = Progress(console)
    second = step_json("second", "SUCCESS", 0, 2)
    progress.show(Build.from_json(build_json("RUNNING", step_json("first", "RUNNING", 0, None), second)), BEGAN)
    progress.show(Build.from_json(build_json("SUCCESS", step_json("first", "SUCCESS", 0, 4), second)), BEGAN)
    assert [line.split()[1] for line in printed(console).splitlines()] == ["second", "first"]


def test_plain_lines_are_never_wrapped() -> None:
    console = plain(width=30)
    name = "n" * 90
    Progress(console).show(Build.from_json(build_json("SUCCESS", step_json(name, "SUCCESS"))), BEGAN)
    assert len(printed(console).splitlines()) == 1
    assert name in printed(console)


def test_a_terminal_shows_what_runs_and_leaves_only_settled_lines() -> None:
    console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True, color_system=None)
    running = step_json("slow", "RUNNING", 0, None)
    with Progress(console) as progress:
        progress.show(Build.from_json(build_json("RUNNING", step_json("quick", "SUCCESS"), running)), BEGAN)
        assert "✓ quick" in printed(console)
    assert "slow" in printed(console)
    assert "1 of 2 steps done" in printed(console)


def test_the_standing_says_what_waits_for_a_runner() -> None:
    waiting = [step_json(name, "READY", None, None) for name in "ab"]
    assert standing(Build.from_json(build_json("PENDING", *waiting)), 0, BEGAN) == (
        "  0 of 2 steps done · 2 waiting for a runner"
    )


def ready_json(name: str, pool: str, since_s: float = 0, **more: Any) -> dict[str, Any]:
    ready_at = (BEGAN + timedelta(seconds=since_s)).isoformat()
    return step_json(name, "READY", None, None, pool=pool, readyAt=ready_at, **more)


def test_the_standing_tells_what_rests_from_what_waits() -> None:
    """After a second lost runner a step rests, and no runner would help."""
    steps = [ready_json("a", "default"), ready_json("b", "default", 12.5, attempt=2)]
    assert standing(Build.from_json(build_json("RUNNING", *steps)), 0, BEGAN).endswith(
        "  0 of 2 steps done · 1 waiting for a runner · 1 to be tried again in 12.5 s"
    )


def test_a_clock_here_that_is_behind_makes_no_rest_of_a_wait_and_none_longer_than_there_is() -> None:
    early = BEGAN - timedelta(seconds=90)
    steps = [ready_json("a", "default"), ready_json("b", "default", attempt=2)]
    assert standing(Build.from_json(build_json("RUNNING", *steps)), 0, early).endswith(
        "1 waiting for a runner · 1 to be tried again in 15.0 s"
    )


def test_a_step_that_no_runner_takes_is_told_of_once_for_each_pool() -> None:
    console, late = plain(), BEGAN + timedelta(seconds=RUNNER_WAIT_S)
    build = Build.from_json(build_json("PENDING", ready_json("bench", "big"), ready_json("other", "big")))
    progress = Progress(console)
    progress.show(build, late - timedelta(seconds=1))
    assert printed(console) == ""
    progress.show(build, late)
    progress.show(build, late)
    assert printed(console) == (
        "'bench' has waited 5.0 s for a runner of pool big, and none has taken it: they are busy, or there are none\n"
    )


def test_a_pool_that_is_busy_with_the_build_is_not_complained_of() -> None:
    running = step_json("runs", "RUNNING", 0, None, pool="default")
    build = Build.from_json(build_json("RUNNING", running, ready_json("next", "default"), ready_json("bench", "big")))
    assert list(waiting(build, BEGAN + timedelta(hours=1))) == ["big"]


def test_the_outcome_shows_the_end_of_the_failing_log_and_how_to_see_all_of_it(
    client: ApiClient, script: Script
) -> None:
    log = "".join(f"line {number}\n" for number in range(30)) + "\x1b[31mAssertionError\x1b[0m\x07\n"
    script.answer("GET", "/api/steps/id-unit-tests/log", log.encode() + b"\xff")
    console = plain()
    status = print_outcome(console, client, Build.from_json(FINISHED), client.server_url)
    lines = printed(console).splitlines()
    assert status is ExitStatus.BUILD_FAILED
    assert "── unit tests: the last 20 of 32 lines" in lines
    assert "  line 12" in lines
    assert "  line 11" not in lines
    assert "  AssertionError" in lines
    assert "── all of it: buildserver logs b1 'unit tests'" in lines
    assert lines[-1] == "FAILED in 6.0 s: 1 succeeded, 1 failed, 1 skipped"


def test_a_log_that_is_shown_whole_is_not_said_to_be_elsewhere(client: ApiClient, script: Script) -> None:
    script.answer("GET", "/api/steps/id-unit-tests/log", b"only line\n")
    console = plain()
    print_outcome(console, client, Build.from_json(FINISHED), client.server_url)
    assert "── unit tests: its log\n  only line\n\nFAILED" in printed(console)


def test_a_successful_outcome_is_one_line(client: ApiClient) -> None:
    console = plain()
    build = Build.from_json(build_json("SUCCESS", step_json("a", "SUCCESS")))
    assert print_outcome(console, client, build, client.server_url) is ExitStatus.OK
    assert printed(console) == "SUCCESS in 6.0 s: 1 succeeded\n"


def test_a_command_to_copy_names_a_server_that_is_not_the_default() -> None:
    client = ApiClient("http://other:1")
    assert command_line(client, "http://127.0.0.1:3000", "show", "b") == "buildserver show b --server http://other:1"
    assert command_line(client, "http://other:1/", "show", "b") == "buildserver show b"


def test_a_command_to_copy_is_called_as_this_one_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A virtual environment that is not activated has the command on no PATH."""
    client, called = ApiClient("http://other:1"), tmp_path / "buildserver"
    called.write_text("#!/bin/sh\n")
    called.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(called), "run"])
    assert command_line(client, "http://other:1", "show", "b") == f"{called} show b"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command_line(client, "http://other:1", "show", "b") == "buildserver show b"


def test_a_step_that_cannot_be_set_up_says_so_and_no_exit_status() -> None:
    failed = step_json("a", "FAILED", reason="config", exitCode=1)
    (step,) = Build.from_json(build_json("FAILED", failed)).steps
    assert why(step) == "cannot be set up, see its log"


def test_following_ends_with_the_build(client: ApiClient, script: Script) -> None:
    script.answer("GET", "/api/builds/b1", build_json("RUNNING", step_json("a", "RUNNING", 0, None)))
    script.answer("GET", "/api/builds/b1", {"error": "restarting"}, status=503)
    script.answer("GET", "/api/builds/b1", build_json("SUCCESS", step_json("a", "SUCCESS")))
    console = plain()
    assert follow(client, "b1", Progress(console)).status == "SUCCESS"
    assert printed(console).splitlines() == [
        "the server does not answer; trying for 60 s more",
        "SUCCESS    a        1.0 s",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 00 s"), (125, "2 min 05 s"), (3_720, "1 h 02 min")],
)
def test_durations_read_well(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_ages_are_in_the_one_unit_that_matters() -> None:
    assert age(BEGAN, BEGAN + timedelta(hours=25)) == "1 d ago"
    assert age(BEGAN, BEGAN + timedelta(minutes=59)) == "59 min ago"
    assert age(BEGAN, BEGAN - timedelta(seconds=5)) == "0 s ago"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07red \x1b[1;31mred\x1b[0m", "red red"),
        ("\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("50 %\r100 %\r\n", "50 %\n100 %\n"),
        ("a\x00b\x9bc\u202ed", "abcd"),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_nothing_in_a_text_can_control_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_one_line_stays_one_line() -> None:
    assert one_line("fix\n\x1b[2Jthe   bug") == "fix the bug"
