"""The supervisor and output on a disk that is full for a moment; a limit on the size of files stands in for that."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import pytest
from supervisor import loggers

from app.cli.options import patient_console
from app.cli.patient_output import PatientOutput
from app.cli.supervisor import PatientFile
from tests.e2e.running import environment
from tests.support.wait import eventually

TALKATIVE = "import time, pathlib\nfor i in range(10**9):\n print(i, 'x' * 20_000, flush=True)\n"
TALKATIVE += " pathlib.Path('said').write_text(str(i))\n time.sleep(0.001)\n"
CONFIG = """\
[supervisord]
nodaemon=true
silent=true
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
[program:talkative]
command={python} -c "exec(open('talkative.py').read())"
directory={folder}
redirect_stderr=true
stdout_logfile={folder}/talkative.log
stdout_logfile_maxbytes=50KB
stdout_logfile_backups=1
"""
PIPE = 10
"""Lines of 20 kB that are more than a pipe and every buffer on the way hold."""


class Supervised:
    """A supervisor in a folder of its own, with a program that prints without end and notes how far it has come."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "talkative.log"
        self._said = folder / "said"
        (folder / "talkative.py").write_text(TALKATIVE)
        (folder / "supervisord.conf").write_text(CONFIG.format(folder=folder, python=sys.executable))
        with (folder / "stderr").open("ab") as errors:
            command = [sys.executable, "-m", "app.cli.supervisor", "-n", "-c", "supervisord.conf"]
            self.process = subprocess.Popen(command, cwd=folder, env=environment(), stderr=errors)

    def said(self) -> int:
        text = self._said.read_text() if self._said.exists() else ""
        return int(text or 0)

    def let_files_grow_to(self, size_bytes: int) -> None:
        """What would make a file larger than that fails, as on a full disk."""
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))

    def wait_lines(self, count: int) -> int:
        """Until the program has printed that many lines more; the number of the last one."""
        wanted = self.said() + count
        eventually(lambda: self.said() >= wanted, describe=lambda: f"line {wanted}; {self.process.poll()=}")
        return wanted


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    started = Supervised(tmp_path)
    yield started
    started.process.send_signal(signal.SIGTERM)
    started.process.wait(20)


@pytest.mark.parametrize("room", [0, 60_000], ids=["for nothing", "until it is time to rotate"])
def test_a_full_disk_ends_neither_the_supervisor_nor_what_it_runs(supervised: Supervised, room: int) -> None:
    supervised.wait_lines(PIPE)
    supervised.let_files_grow_to(room)
    supervised.wait_lines(3 * PIPE)
    supervised.let_files_grow_to(resource.RLIM_INFINITY)
    number = supervised.wait_lines(PIPE)
    eventually(lambda: _last_number(supervised.log) >= number, describe="the log goes on")
    assert supervised.process.poll() is None


def _last_number(log: Path) -> int:
    numbers = [line.split()[0] for line in log.read_text().splitlines() if line.endswith("x")] if log.exists() else []
    return int(numbers[-1]) if numbers and numbers[-1].isdigit() else 0


def test_a_log_that_cannot_be_written_is_not_complained_of(capfd: pytest.CaptureFixture[str]) -> None:
    """Standard error may lie on the same disk."""
    handler = PatientFile("/dev/full", maxBytes=100)
    handler.emit(loggers.LogRecord(loggers.LevelsByName.INFO, b"lost"))
    assert capfd.readouterr() == ("", "")


def test_a_log_that_could_not_be_rotated_is_opened_again(tmp_path: Path) -> None:
    handler = PatientFile(os.fspath(tmp_path / "log"), maxBytes=100)
    handler.stream.close()
    handler.emit(loggers.LogRecord(loggers.LevelsByName.INFO, b"written"))
    assert (tmp_path / "log").read_bytes() == b"written"


@pytest.fixture
def full() -> Iterator[TextIO]:
    """A file on a disk without room; closing it fails as writing does."""
    file = Path("/dev/full").open("w")  # noqa: SIM115  # a context manager would fail as it closes
    yield file
    with suppress(OSError):
        file.close()


def test_output_that_has_no_room_ends_nothing(full: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="No space left"):
        print("x" * 100_000, file=full, flush=True)
    monkeypatch.setattr("sys.stdout", full)
    patient_console().print("x" * 100_000)
    patient_console().print("x")


def test_a_reader_of_the_output_that_has_left_is_an_error_as_ever() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    output = os.fdopen(writing, "w")
    output.write("nobody reads this")
    with pytest.raises(BrokenPipeError):
        PatientOutput(output).flush()
    with suppress(BrokenPipeError):
        output.close()
