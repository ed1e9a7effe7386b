"""However `up` ends, nothing of it stays behind, and the next one carries on what was open."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.running import BUILDSERVER, Running, environment, running, until

ENDINGS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL]
ENDS_AS = {signal.SIGKILL: (-signal.SIGKILL, False)}
FOLDERS = {signal.SIGKILL: "data in a folder with blanks", signal.SIGTERM: "data" * 30}
"""For paths that a socket cannot have: Redis listens in a private folder then."""
CARRIED_ON_S = 90

WAITING = """\
steps:
- name: long
  run: |
    echo "attempt $STEP_ATTEMPT"
    (trap '' TERM; exec setsid sleep 1000) &
    until [ -e '{flag}' ]; do sleep 0.1; done
    kill -KILL $!
- name: after
  dependsOn: [long]
  run: 'true'
"""


def socket_folder(system: Running) -> Path:
    """Where its Redis listens, as that says itself."""
    (path,) = set(re.findall(r"unixsocket[: ](\S+)/redis\.sock", "\n".join(system.processes().values())))
    return Path(path)


def held_by_supervisor(system: Running) -> set[Path]:
    (supervisor,) = (number for number, line in system.processes().items() if "app.cli.supervisor" in line)
    return {descriptor.readlink() for descriptor in Path(f"/proc/{supervisor}/fd").iterdir()}


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda number: number.name)
def test_no_process_is_left_and_an_open_build_is_carried_on(tmp_path: Path, port: int, ending: signal.Signals) -> None:
    """`run` follows the build all the while, through the pause as well."""
    flag, data, flow = tmp_path / "flag", tmp_path / FOLDERS.get(ending, "data"), tmp_path / "flow.yml"
    flow.write_text(WAITING.format(flag=flag))
    up = ("up", "--port", str(port))
    with running(data, *up) as first:
        command = [*BUILDSERVER, "run", str(flow), "--server", first.url("API")]
        follower = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(), cwd=tmp_path)
        until(lambda: "sleep 1000" in " ".join(first.processes().values()), "the step runs")
        sockets = socket_folder(first)
        assert (sockets / "owner.lock" in held_by_supervisor(first)) is (ending in FOLDERS)
        first.send(ending)
        first.wait_gone()
        assert (first.process.returncode, first.output.endswith("stopped\n")) == ENDS_AS.get(ending, (0, True))
    flag.touch()
    with running(data, *up):
        output, _ = follower.communicate(timeout=CARRIED_ON_S)
        assert sockets.exists() is (ending not in FOLDERS), "the private one of the first is gone"
    assert follower.returncode == 0, output
    long, after = (line for line in output.splitlines() if line.startswith("SUCCESS  "))
    assert long.split()[1:2] + long.split()[-2:] == ["long", "attempt", "2"]
    assert after.split()[1] == "after"


def test_a_killed_supervisor_takes_everything_with_it_and_up_says_so(tmp_path: Path, port: int) -> None:
    with running(tmp_path / "data", "up", "--port", str(port)) as system:
        (supervisor,) = (number for number, line in system.processes().items() if "app.cli.supervisor" in line)
        os.kill(supervisor, signal.SIGKILL)
        system.wait_gone()
    assert system.process.returncode == 3
    assert system.output.splitlines()[-1].startswith("buildserver: the supervisor ended; its log is ")


HOLD = """\
import sys, time
if "{moment}" in " ".join(sys.orig_argv):
    time.sleep(1000)
"""
"""Python reads it before anything else. So a program that is over in no time is found, however slow it is to look."""


@pytest.mark.parametrize("moment", ["app.models.migrate", "redis", "gunicorn"])
def test_an_interrupted_demo_says_that_it_has_stopped_and_leaves_nothing(
    tmp_path: Path, port: int, moment: str
) -> None:
    folder, hold = tmp_path / "temporary", tmp_path / "hold"
    folder.mkdir()
    hold.mkdir()
    (hold / "sitecustomize.py").write_text(HOLD.format(moment=moment))
    command, variables = [*BUILDSERVER, "demo", "--port", str(port)], {**environment(), "TMPDIR": str(folder)}
    variables["PYTHONPATH"] = os.pathsep.join([str(hold), variables["PYTHONPATH"]])
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=variables)
    try:
        until(lambda: any(moment in line for line in Running.left(folder).values()), f"{moment} runs")
    finally:
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=60)
    assert (demo.returncode, output.splitlines()[-1:]) == (130, ["stopped"])
    assert "Traceback" not in output
    assert Running.left(folder) == {}
    assert list(folder.iterdir()) == []
