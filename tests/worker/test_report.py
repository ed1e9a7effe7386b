"""A report reaches the server however long that is away, and although its runner is killed at any point."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.proxy import Proxy
from tests.support.wait import eventually
from tests.worker.conftest import ON_SQLITE, NewRunner, Server
from worker.api import ApiClient
from worker.attempt import Outcome
from worker.log_stream import CHUNK_BYTES
from worker.report import WITH_GAP, Reporter, Undelivered
from worker.runner import Runner
from worker.spool import Spool

pytestmark = ON_SQLITE

REPORT = {"status": "success", "attempt": 1, "exitCode": 0}


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def reporter(proxy: Proxy, work_dir: Path, stop: threading.Event) -> Reporter:
    return Reporter(ApiClient(proxy.url), work_dir, stop)


def claimed(server: Server) -> str:
    step = server.new_step()
    answer = server.client.post(f"/api/runner/{step}/claim", {"runner": "by-test", "heartbeats": True})
    assert answer.status == 200
    return step


def deliver(reporter: Reporter, step: str) -> None:
    reporter.deliver(reporter.keep(step, REPORT))


def spooled(work_dir: Path) -> list[Path]:
    return list((work_dir / "reports").glob("*.json"))


def test_a_report_waits_on_disk_until_the_server_answers(
    server: Server, reporter: Reporter, proxy: Proxy, work_dir: Path
) -> None:
    step = claimed(server)
    proxy.refuse()
    with ThreadPoolExecutor(1) as slot:
        delivered = slot.submit(deliver, reporter, step)
        eventually(lambda: proxy.refused >= 2)
        assert (json.loads(spooled(work_dir)[0].read_text()), delivered.done()) == (
            {"stepId": step, "logBytes": 0, **REPORT},
            False,
        )
        assert server.status(step) == "RUNNING"
        proxy.restore()
        delivered.result(timeout=20)
    assert (server.status(step), spooled(work_dir)) == ("SUCCESS", [])


def test_a_report_is_on_disk_before_it_is_sent(
    server: Server, reporter: Reporter, work_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def sync(file: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{file}").readlink()))
        fsync(file)

    monkeypatch.setattr(os, "fsync", sync)
    step, seen = claimed(server), []
    complete = ApiClient.complete

    def look(self: ApiClient, step_id: str, report: dict[str, Any], **haste: bool) -> None:
        seen.append((list(synced), [path.name for path in spooled(work_dir)]))
        complete(self, step_id, report, **haste)

    monkeypatch.setattr(ApiClient, "complete", look)
    deliver(reporter, step)
    folder = work_dir / "reports"
    assert seen == [([str(folder / f"{step}-1.part"), str(folder)], [f"{step}-1.json"])]


def test_a_report_whose_answer_was_lost_is_sent_again_and_taken_once(
    server: Server, reporter: Reporter, proxy: Proxy, work_dir: Path
) -> None:
    step = claimed(server)
    proxy.cut_answers_after(20)
    with ThreadPoolExecutor(1) as slot:
        delivered = slot.submit(deliver, reporter, step)
        eventually(lambda: server.status(step) == "SUCCESS")
        proxy.restore()
        delivered.result(timeout=20)
    assert server.actions("step.completed") == 1
    assert spooled(work_dir) == []
    assert server.client.post(f"/api/runner/{step}/complete", REPORT).status == 200


@pytest.mark.parametrize("step_id", ["ended", "unknown"])
def test_a_report_that_the_server_refuses_is_dropped_and_logged(
    server: Server, reporter: Reporter, work_dir: Path, step_id: str
) -> None:
    ended = claimed(server)
    server.client.post(f"/api/runner/{ended}/complete", {"status": "failed"})
    asked = ended if step_id == "ended" else "nobody"
    with capture_logs() as lines, pytest.raises(Undelivered) as refusal:
        deliver(reporter, asked)
    (line,) = [line for line in lines if line["event"] == "report refused"]
    assert (line["log_level"], line["step"], line["attempt"]) == ("warning", asked, 1)
    assert str(refusal.value) == f"the result was refused: {line['error']}"
    assert ("FAILED" if step_id == "ended" else "not found") in line["error"]
    assert spooled(work_dir) == []
    assert server.status(ended) == "FAILED"


def test_a_claim_that_is_given_back_and_a_result_of_the_same_attempt_do_not_touch_each_other(
    server: Server, reporter: Reporter, work_dir: Path
) -> None:
    step = claimed(server)
    result = reporter.keep(step, REPORT)
    given_back = {"status": "failed", "reason": "lost", "handedBack": True, "attempt": 1, "key": "nobody's"}
    reporter.try_once(reporter.keep(step, given_back))
    assert spooled(work_dir) == [result.path]
    reporter.deliver(result)
    assert (server.status(step), spooled(work_dir)) == ("SUCCESS", [])


def test_a_result_that_neither_server_nor_disk_took_is_not_said_to_wait(
    reporter: Reporter, proxy: Proxy, work_dir: Path, stop: threading.Event
) -> None:
    work_dir.mkdir()
    (work_dir / "reports").write_text("in the way")
    proxy.refuse()
    stop.set()
    with pytest.raises(Undelivered, match="the result is lost, as the disk did not take it either"):
        deliver(reporter, "step")


def test_a_report_that_cannot_be_kept_is_sent_all_the_same(server: Server, reporter: Reporter, work_dir: Path) -> None:
    work_dir.mkdir()
    (work_dir / "reports").write_text("in the way")
    step = claimed(server)
    deliver(reporter, step)
    assert server.status(step) == "SUCCESS"


def test_a_runner_that_stops_leaves_its_report_to_the_next(
    server: Server, reporter: Reporter, proxy: Proxy, work_dir: Path, stop: threading.Event, new_runner: NewRunner
) -> None:
    step = claimed(server)
    proxy.refuse()
    stop.set()
    with pytest.raises(Undelivered, match="the result waits on disk"):
        deliver(reporter, step)
    assert len(spooled(work_dir)) == 1
    proxy.restore()
    new_runner()
    eventually(lambda: server.status(step) == "SUCCESS")
    eventually(lambda: spooled(work_dir) == [])


@pytest.mark.parametrize("heard", [0, 4, 10, CHUNK_BYTES])
def test_a_runner_that_stops_sends_one_piece_of_its_log_and_says_so_where_that_is_not_all(
    server: Server, reporter: Reporter, tmp_path: Path, stop: threading.Event, heard: int
) -> None:
    """The answer to its last bytes may have been lost, and there is no time to send much again."""
    step, log = claimed(server), tmp_path / "log"
    printed = b"all of it\n" if heard < CHUNK_BYTES else b"more\n" * CHUNK_BYTES
    log.write_bytes(printed)
    ApiClient(server.client.url).append_log(step, 1, 0, printed[:heard])
    stop.set()
    reporter.deliver(reporter.keep(step, REPORT, log, len(printed)))
    told = printed if heard < CHUNK_BYTES else printed[: 2 * CHUNK_BYTES] + WITH_GAP.encode()
    assert (server.status(step), server.log(step)) == ("SUCCESS", told)


def test_a_runner_that_starts_before_the_server_delivers_once_that_is_there(
    server: Server, proxy: Proxy, work_dir: Path, new_runner: NewRunner
) -> None:
    step = claimed(server)
    Spool(work_dir).keep(step, REPORT)
    proxy.refuse()
    new_runner()
    assert server.status(step) == "RUNNING"
    proxy.restore()
    eventually(lambda: server.status(step) == "SUCCESS")


ENDLESS = b'{"stepId": "x", "attempt": 1e999}'
DEEP = b"[" * 200_000
LARGE = b" " * 2_000_000


@pytest.mark.usefixtures("collector_at_rest")
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"stepId": "x"}', b"\xff\0", b'{"attempt": 1}', ENDLESS, DEEP, LARGE]
)
def test_a_file_that_is_no_report_is_set_aside_and_the_others_are_delivered(
    server: Server, work_dir: Path, new_runner: NewRunner, content: bytes
) -> None:
    step = claimed(server)
    Spool(work_dir).keep(step, REPORT)
    (work_dir / "reports" / "0-1.json").write_bytes(content)
    with capture_logs() as lines:
        new_runner()
        new_runner()
    assert [line["event"] for line in lines].count("unreadable report set aside; look at it and delete it") == 1
    eventually(lambda: server.status(step) == "SUCCESS")
    eventually(lambda: [path.name for path in (work_dir / "reports").iterdir()] == ["0-1.unreadable"])
    assert (work_dir / "reports" / "0-1.unreadable").read_bytes() == content


@pytest.mark.parametrize("put", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_set_aside_and_holds_no_report_up(
    server: Server, work_dir: Path, new_runner: NewRunner, put: Callable[[Path], None]
) -> None:
    step = claimed(server)
    Spool(work_dir).keep(step, REPORT)
    put(work_dir / "reports" / "0-1.json")
    new_runner()
    eventually(lambda: server.status(step) == "SUCCESS")
    eventually(lambda: [path.name for path in (work_dir / "reports").iterdir()] == ["0-1.unreadable"])


DYING = """
import os, signal, sys
from worker import spool
from worker.api import ApiClient

def die(*_, **haste):
    os.kill(os.getpid(), signal.SIGKILL)

real, real_complete = spool.os.fsync, ApiClient.complete
def after_complete(*arguments, **haste):
    real_complete(*arguments, **haste)
    die()
stage = sys.argv.pop(1)
if stage == "while it is written":
    spool.os.fsync = die
elif stage == "before its log is sent":
    ApiClient.append_log = die
elif stage == "before it is sent":
    ApiClient.complete = die
elif stage == "after it was answered":
    ApiClient.complete = after_complete
from worker.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    "stage", ["while it is written", "before its log is sent", "before it is sent", "after it was answered"]
)
def test_a_runner_killed_at_any_point_of_its_report_loses_neither_that_nor_the_log(
    server: Server, proxy: Proxy, tmp_path: Path, new_runner: NewRunner, stage: str
) -> None:
    step = server.new_step("echo done")
    environ = {
        "PATH": os.environ["PATH"],
        "BUILDSERVER_DATA_DIR": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [sys.executable, "-c", DYING, stage, step, "--api-url", proxy.url]
    died = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    next_one = new_runner()
    if stage == "while it is written":  # nothing was kept: the next runner knows only that the attempt is over
        eventually(lambda: server.attempt(step) == ("READY", 2))
        assert next_one.run(step, 2) == Outcome(exit_code=0)
    eventually(lambda: server.status(step) == "SUCCESS")
    assert server.client.get(f"/api/builds/{server.step(step)['buildId']}").body["status"] == "SUCCESS"
    attempts = [1, 2] if stage == "while it is written" else [1]
    assert [server.log(step, attempt) for attempt in attempts] == [b"done\n"] * len(attempts)
    assert server.actions("step.completed") == len(attempts)
    eventually(lambda: list((tmp_path / "work" / "reports").iterdir()) == [])
    eventually(lambda: not list((tmp_path / "work").glob("*-*")))


def test_the_folders_of_a_step_do_not_outlive_it(server: Server, runner: Runner, work_dir: Path) -> None:
    step = server.new_step("mkdir -p a/b; touch a/b/c; chmod 500 a/b a; chmod 500 .")
    assert runner.run(step) == Outcome(exit_code=0)
    eventually(lambda: list(work_dir.glob("*-*")) == [])
