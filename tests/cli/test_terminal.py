"""The command in a process of its own, on the terminals, pipes and disks that people really have."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from app.cli.client import ApiClient
from app.cli.wording import printable
from tests.cli.test_progress import FINISHED, build_json, step_json
from tests.e2e.running import BUILDSERVER, environment
from tests.support.scripted_server import Script

WIDE_NAME = "übersetzen → 包"


def finished(*arguments: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[bytes]:
    command = [*BUILDSERVER, *arguments]
    return subprocess.run(
        command, capture_output=True, env={**environment(), **variables}, cwd=cwd, timeout=60, check=False
    )


def on_a_terminal(columns: int, *arguments: str, **variables: str) -> str:
    """What the command writes to a terminal of that width, controls and all."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    inherited = {name: value for name, value in environment().items() if name not in {"COLUMNS", "LINES"}}
    process = subprocess.Popen(
        [*BUILDSERVER, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env={**inherited, **variables}
    )
    os.close(theirs)
    written = b""
    while part := _read(ours):
        written += part
    os.close(ours)
    process.wait(60)
    return written.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # how Linux says that the other end is closed
        return b""


@pytest.fixture
def shown(client: ApiClient, script: Script) -> tuple[str, ...]:
    """The command that shows a build with a long name, a failure and a skip."""
    steps = (step_json("n" * 60, "SUCCESS"), step_json("short", "FAILED", exitCode=3))
    script.answer("GET", "/api/builds/b1", build_json("FAILED", *steps))
    return ("show", "b1", "--server", client.server_url)


@pytest.mark.parametrize("columns", [20, 40, 80, 120])
def test_a_step_takes_one_line_of_any_terminal(shown: tuple[str, ...], columns: int) -> None:
    lines = printable(on_a_terminal(columns, *shown, TERM="xterm")).splitlines()
    heading, first, second, blank, *_ = lines
    assert (heading, first[0], second[0], blank) == ("build b1", "✓", "✗", "")
    assert max(len(first), len(second)) <= columns


def test_builds_have_a_heading_and_short_ids_that_tell_them_apart_in_80_columns(
    client: ApiClient, script: Script
) -> None:
    names = {"projectId": "p", "branch": "main", "commitHash": "1234567890", "commitMessage": "m" * 80}
    ids = [f"01a20f0c-deac-74a9-{end}" for end in ("8", "9")]
    script.answer("GET", "/api/projects?accountId=local", [{"id": "p", "name": "n" * 80}])
    found = [{**build_json("SUCCESS"), **names, "id": each} for each in ids]
    script.answer("GET", "/api/projects/p/builds?limit=20", {"builds": found})
    lines = printable(on_a_terminal(80, "builds", "--server", client.server_url, TERM="xterm")).splitlines()
    assert lines[0].split() == ["BUILD", "STATUS", "TOOK", "CREATED", "PROJECT", "COMMIT"]
    assert sorted(line.split()[0] for line in lines[1:]) == ids
    assert all(len(line) <= 80 and "main@1234" in line for line in lines[1:])


def test_builds_of_different_times_are_told_apart_by_those(client: ApiClient, script: Script) -> None:
    script.answer("GET", "/api/projects?accountId=local", [{"id": "p", "name": "shop"}])
    found = [{**build_json("SUCCESS"), "id": f"01a20f0c-deac-74a9-9d95-8e2dea0953{end}"} for end in ("5f",)]
    script.answer("GET", "/api/projects/p/builds?limit=20", {"builds": found})
    lines = printable(on_a_terminal(80, "builds", "--server", client.server_url, TERM="xterm")).splitlines()
    assert lines[1].split()[0] == "01a20f0c-deac"


def test_a_colour_terminal_gets_colours(shown: tuple[str, ...]) -> None:
    assert "\x1b[32m✓" in on_a_terminal(80, *shown, TERM="xterm-256color")


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_no_colour_is_sent_where_none_is_wanted(shown: tuple[str, ...], variables: dict[str, str]) -> None:
    text = on_a_terminal(80, *shown, **variables)
    assert "✗ short" in printable(text)
    assert "\x1b[3" not in text


def test_a_dumb_terminal_is_never_sent_a_control_sequence(client: ApiClient, script: Script, tmp_path: Path) -> None:
    (tmp_path / "flow.yml").write_text("steps: []")
    for path in ("/api/docker-images", "/api/projects/p/workflows"):
        script.answer("GET", path, [])
    script.answer("GET", "/api/projects?accountId=local", [{"id": "p", "name": "shop"}])
    script.answer("POST", "/api/projects/p/workflows", {"id": "w", "name": "flow"}, status=201)
    script.answer("POST", "/api/projects/p/builds", build_json("PENDING"), status=201)
    script.answer("GET", "/api/builds/b1", FINISHED)
    run = ("run", str(tmp_path / "flow.yml"), "--project", "shop", "--server", client.server_url)
    text = on_a_terminal(80, *run, TERM="dumb")
    assert "FAILED in 6.0 s" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_names_that_the_encoding_lacks_do_not_end_the_command(client: ApiClient, script: Script, encoding: str) -> None:
    script.answer("GET", "/api/builds/b1", build_json("SUCCESS", step_json(WIDE_NAME, "SUCCESS")))
    answer = finished("show", "b1", "--server", client.server_url, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert b"bersetzen ? ?" in answer.stdout


def test_a_reader_that_has_seen_enough_is_no_fault(client: ApiClient, script: Script) -> None:
    steps = [step_json(f"step {number}", "SUCCESS") for number in range(5_000)]
    script.answer("GET", "/api/builds/b1", build_json("SUCCESS", *steps))
    command = [*BUILDSERVER, "show", "b1", "--server", client.server_url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b"build b1")
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 0


def test_a_full_disk_is_one_line(shown: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [*BUILDSERVER, *shown]
        answer = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=environment(), check=False)
    assert (answer.returncode, answer.stderr) == (2, b"buildserver: output: No space left on device\n")


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    flow = tmp_path / "flow.yml"
    flow.write_text("steps: []")
    script = 'rmdir "$PWD"; exec "$@"'
    command = ["bash", "-c", script, "bash", *BUILDSERVER, "run", str(flow), "--server", "http://127.0.0.1:9"]
    answer = subprocess.run(command, cwd=gone, capture_output=True, text=True, env=environment(), check=False)
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert answer.stderr.startswith("buildserver: ")
