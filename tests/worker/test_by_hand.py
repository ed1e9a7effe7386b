"""A step run by hand: `python -m worker` and `curl … | bash`, as real processes."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.proxy import Proxy
from tests.support.wait import eventually
from tests.worker.by_hand import ByHand
from tests.worker.conftest import ON_SQLITE, Server

pytestmark = ON_SQLITE

NOBODY = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
def by_hand(server: Server, tmp_path: Path) -> ByHand:
    return ByHand(server, tmp_path)


def test_a_step_that_succeeds_is_shown_and_reported(by_hand: ByHand, server: Server) -> None:
    step = server.new_step("echo out; echo err >&2")
    assert by_hand.step(step) == (0, "out\nerr\n", "")
    assert (server.status(step), server.log(step)) == ("SUCCESS", b"out\nerr\n")


def test_a_step_that_fails_says_how_and_exits_with_1(by_hand: ByHand, server: Server) -> None:
    step = server.new_step("exit 7")
    assert by_hand.step(step) == (1, "» the step ended with exit status 7\n", "")
    assert (server.status(step), server.step(step)["exitCode"]) == ("FAILED", 7)


def test_a_checkout_that_fails_is_a_failed_step_with_reason_config(by_hand: ByHand, server: Server) -> None:
    build = {"repoUrl": "http://user:s3cret@127.0.0.1:9/repository", "branch": "main"}
    step = server.new_step("echo never", build)
    status, output, _ = by_hand.step(step)
    assert (status, server.step(step)["reason"]) == (1, "config")
    assert "» checkout failed: the branch main cannot be read\n» the checkout ended with exit status 1\n" in output
    assert server.log(step).decode() == output
    assert "s3cret" not in output


def test_the_servers_address_may_come_from_the_environment(by_hand: ByHand, server: Server) -> None:
    step = server.new_step()
    assert by_hand.run(step, BUILDSERVER_API_URL=server.client.url)[0] == 0


def test_an_unknown_step_is_one_line_and_2(by_hand: ByHand) -> None:
    status, output, errors = by_hand.step(NOBODY)
    assert (status, output, errors) == (2, "", "buildserver: Step run not found\n")


def test_a_step_that_somebody_has_is_one_line_and_2(by_hand: ByHand, server: Server) -> None:
    step = server.new_step()
    server.client.post(f"/api/runner/{step}/claim", {"runner": "other", "heartbeats": True})
    status, output, errors = by_hand.step(step)
    assert (status, output, errors) == (2, "", "buildserver: step run 'only' is being run by runner 'other'\n")
    assert server.step(step)["runner"] == "other"


def test_a_server_that_is_away_is_one_line_and_2(by_hand: ByHand, proxy: Proxy) -> None:
    proxy.refuse()
    status, output, errors = by_hand.run(NOBODY, "--api-url", proxy.url)
    assert (status, output) == (2, "")
    assert errors.startswith(f"buildserver: the server at {proxy.url}/api/runner does not answer")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(("words", "environ"), [(["--api-url", "nowhere"], {}), ([], {"BUILDSERVER_LEASE_S": "soon"})])
def test_a_bad_setting_is_one_line_and_2(by_hand: ByHand, words: list[str], environ: dict[str, str]) -> None:
    status, output, errors = by_hand.run(NOBODY, *words, **environ)
    assert (status, output, errors.count("\n")) == (2, "", 1)
    assert "expected" in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_step_goes_back_to_the_server(
    by_hand: ByHand, server: Server, tmp_path: Path, number: signal.Signals
) -> None:
    step = server.new_step(f"touch '{tmp_path}/started'; sleep 1000")
    with by_hand.start_step(step) as process:
        eventually((tmp_path / "started").exists)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert errors == "buildserver: the step was not run to its end; its attempt goes back to the server\n"
    assert (server.step(step)["status"], server.step(step)["attempt"]) == ("READY", 2)


def test_a_step_that_the_server_gives_away_is_one_line_and_2(by_hand: ByHand, server: Server, tmp_path: Path) -> None:
    step = server.new_step(f"touch '{tmp_path}/started'; sleep 1000")
    with by_hand.start_step(step) as process:
        eventually((tmp_path / "started").exists)
        server.revoke(step)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert errors.splitlines()[-1] == "buildserver: this runner does not have the attempt, or not any more"
    assert (server.step(step)["status"], server.step(step)["attempt"]) == ("READY", 2)


def test_a_step_whose_report_is_refused_is_told_so_and_2(by_hand: ByHand, server: Server, tmp_path: Path) -> None:
    """Somebody who knows only the contract has reported it meanwhile, and the first report stands."""
    step = server.new_step(f"touch '{tmp_path}/started'; while [ ! -e '{tmp_path}/go' ]; do sleep 0.02; done")
    with by_hand.start_step(step, BUILDSERVER_HEARTBEAT_S="7") as process:
        eventually((tmp_path / "started").exists)
        server.client.post(f"/api/runner/{step}/complete", {"status": "failed", "exitCode": 3})
        (tmp_path / "go").touch()
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    refusal = "attempt 1 has already ended: FAILED (exit) with exit status 3"
    assert errors.splitlines()[-1] == f"buildserver: the result was refused: {refusal}"
    assert server.step(step)["exitCode"] == 3


def test_a_step_interrupted_out_of_the_servers_reach_says_where_its_report_is(
    by_hand: ByHand, server: Server, proxy: Proxy, tmp_path: Path
) -> None:
    step = server.new_step(f"touch '{tmp_path}/started'; sleep 1000")
    with by_hand.start(step, "--api-url", proxy.url) as process:
        eventually((tmp_path / "started").exists)
        proxy.refuse()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert errors.splitlines()[-1].startswith("buildserver: the result waits on disk for the next runner here")
    assert by_hand.run(server.new_step(), "--api-url", server.client.url)[0] == 0
    eventually(lambda: (server.step(step)["status"], server.step(step)["attempt"]) == ("READY", 2))


def test_a_reader_that_goes_away_does_not_end_the_step(by_hand: ByHand, server: Server, tmp_path: Path) -> None:
    step = server.new_step(f"while [ ! -e '{tmp_path}/go' ]; do echo line; done; echo end")
    with by_hand.start_step(step) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "line\n"
        process.stdout.close()
        (tmp_path / "go").touch()
        assert process.wait(60) == 0
    assert server.log(step).endswith(b"end\n")


def test_help_says_what_it_does_and_what_its_statuses_mean(by_hand: ByHand) -> None:
    status, output, _ = by_hand.run("--help")
    assert status == 0
    for word in ("STEP_ID", "--api-url", "Exit status", "0 the step succeeded, 1 it failed"):
        assert word in " ".join(output.split())


def test_the_program_piped_into_bash_does_the_whole_step_and_reports_nothing(server: Server, tmp_path: Path) -> None:
    source, folder = tmp_path / "source", tmp_path / "empty"
    subprocess.run(["git", "init", "--quiet", "-b", "main", str(source)], check=True)
    (source / "file").write_text("content")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", "-C", str(source), "add", "."], check=True)
    subprocess.run(["git", "-C", str(source), *identity, "commit", "--quiet", "-m", "first"], check=True)
    folder.mkdir()
    build = {"repoUrl": f"file://{source}", "branch": "main"}
    step = server.new_step(
        'cat file; echo " $WORD $STEP_ID"; touch made', build, env={"WORD": "it's"}, outputPaths=["made"]
    )
    assert piped(server, step, folder) == (0, f"content it's {step}")
    assert server.status(step) == "READY"
    done = server.client.post(f"/api/runner/{step}/complete", {"status": "success", "outputPaths": ["made"]})
    assert (done.status, done.body["buildComplete"], server.status(step)) == (200, True, "SUCCESS")


@pytest.mark.parametrize(
    ("script", "status", "last"),
    [("echo x; exit 3", 3, "x"), ("echo x; false; echo y", 1, "x"), ("echo x", 1, "» declared output is missing: out")],
)
def test_the_exit_status_of_the_piped_program_is_the_steps(
    server: Server, tmp_path: Path, script: str, status: int, last: str
) -> None:
    step = server.new_step(script, outputPaths=["out"])
    assert piped(server, step, tmp_path) == (status, last)


def piped(server: Server, step: str, folder: Path) -> tuple[int, str]:
    """Its exit status and the last line it printed. The download is python's where there is no curl."""
    fetch = f"{sys.executable} -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())'"
    command = f"{fetch} '{server.client.url}/api/runner/{step}' | bash"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()[-1]
