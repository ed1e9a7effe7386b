"""A log on the runner's disk: its limit, the runner's own lines, and a disk or a server that does not take it."""

from pathlib import Path

import pytest

from worker.api import Claim
from worker.clock import clock
from worker.lease import Lease
from worker.log_file import LogFile
from worker.log_stream import LogStream

LIMIT_BYTES = 64 << 20


def test_output_that_reaches_its_limit_exactly_is_marked_when_more_comes(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "log", 100)
    file.write(b"x" * 50)
    assert file.read(0, 1000) == b"x" * 50
    file.write(b"y")
    assert file.read(0, 1000).startswith(b"x" * 50 + "\n» the log is cut off".encode())
    assert file.size <= 100


def test_a_line_of_the_runner_begins_a_line(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "log", LIMIT_BYTES)
    file.say("first")
    file.write(b"no end of line")
    file.say("second")
    assert file.read(0, 1000) == "» first\nno end of line\n» second\n".encode()


def test_a_disk_that_is_full_costs_the_rest_of_the_output_and_not_what_is_said(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to("/dev/full")
    file = LogFile(tmp_path / "log", LIMIT_BYTES)
    file.write(b"output")
    file.say("the step ended")
    file.write(b"more")
    expected = "» log truncated: storage (No space left on device)\n» the step ended\n".encode()
    assert (file.read(0, 1000), file.size) == (expected, len(expected))
    assert [file.read(start, 7) for start in range(0, file.size, 7)] == [
        expected[start : start + 7] for start in range(0, file.size, 7)
    ]


def test_a_full_disk_makes_no_log_longer_than_its_limit(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to("/dev/full")
    file = LogFile(tmp_path / "log", 30)
    file.say("x" * 100)
    assert (file.size, len(file.read(0, 1000))) == (30, 30)


class Stuck:
    """A server that takes every chunk and says that it has none."""

    def __init__(self) -> None:
        self.asked = 0

    def append_log(self, *_: object) -> int:
        self.asked += 1
        return 0


def test_a_server_that_always_wants_the_same_bytes_is_asked_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.log_stream.DRAIN_S", 0.5)
    stuck, file = Stuck(), LogFile(tmp_path / "log", LIMIT_BYTES)
    claim = Claim("step", "build", 1, 30, 60)
    with LogStream(stuck, claim, Lease(clock() + 600), file):  # type: ignore[arg-type]  # all that a stream asks of it
        file.write(b"again and again\n")
    assert stuck.asked < 5
