"""Every command of the README, run as it stands there; a new one without a case here fails.

Only what must differ does: the port and the data directory come from the environment, and ids from a build.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import urllib3

from tests.e2e.own_repository import ROOT, make_own_repository
from tests.e2e.running import environment, until

DEADLINE_S = 120
SELF_DEADLINE_S = 900
DEFAULT_URL = "http://127.0.0.1:3000"
README = (ROOT / "README.md").read_text()
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line for language, block in FENCED if not language for line in block.splitlines() if not line.startswith(" ")
]
TOOL = ".venv/bin/buildserver"
TO_THE_END = {
    f"{TOOL} validate examples/diamond.yml": "examples/diamond.yml: fine: workflow 'diamond', 4 steps",
    f"{TOOL} run examples/diamond.yml": "4 succeeded",
    f"{TOOL} builds": "SUCCESS",
    f"{TOOL} show BUILD": "1 succeeded",
    f"{TOOL} logs BUILD STEP": "made by hand",
}
"""What the command's output holds."""

BY_HAND = {
    "curl -fsS http://127.0.0.1:3000/api/runner/STEP_ID | bash": "made by hand",
    ".venv/bin/python -m worker STEP_ID": "made by hand",
}
MAKE_DEMO, MAKE_UP, MAKE_EXIT, SELF = "make demo", "make up", "make demo ARGS=--exit", f"{TOOL} run examples/self.yml"
THIS_RUN = "make test"

STEP = {
    "name": "only",
    "imageSlug": "readme",
    "runScript": "echo made by hand",
    "dependsOn": [],
    "cacheDirs": [],
    "outputPaths": [],
}


class Server:
    """What `make up` started."""

    def __init__(self, process: subprocess.Popen[str], environ: dict[str, str]) -> None:
        self.process = process
        self.environ = environ
        self.url = environ["BUILDSERVER_API_URL"]

    def run(self, line: str, cwd: Path = ROOT, deadline_s: float = DEADLINE_S) -> subprocess.CompletedProcess[str]:
        line = line.replace(DEFAULT_URL, self.url).replace(".venv/bin/", f"{ROOT}/.venv/bin/")
        command = ["bash", "-o", "pipefail", "-c", line]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=cwd, env=self.environ, timeout=deadline_s, check=False
        )

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, str]:
        answer = urllib3.request("POST", self.url + path, json=body, timeout=10.0)
        assert answer.status in (201, 409), answer.data
        found: dict[str, str] = answer.json()
        return found

    def build(self, pool: str) -> tuple[str, str]:
        """The ids of a new build with one step for the pool's runners, and of its step run."""
        self.post("/api/docker-images", {"slug": "readme", "imageUrl": "debian:12-slim"})
        project = self.post("/api/projects", {"accountId": "local", "name": f"for {pool}"})["id"]
        steps = [{**STEP, "pool": pool}]
        workflow = self.post(f"/api/projects/{project}/workflows", {"name": "readme", "steps": steps})["id"]
        build = self.post(f"/api/projects/{project}/builds", {"workflowId": workflow})["id"]
        until(lambda: self.step(build)["status"] in {"READY", "RUNNING", "SUCCESS"}, "the step is ready")
        return build, self.step(build)["id"]

    def step(self, build: str) -> dict[str, str]:
        (step,) = urllib3.request("GET", f"{self.url}/api/builds/{build}", timeout=10.0).json()["steps"]
        found: dict[str, str] = step
        return found


STAND_IN = """\
#!/bin/sh
exec '{python}' -c 'import sys, urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[-1]).read())' "$@"
"""


def path_with_curl(folder: Path) -> str:
    """PATH, and on a machine that has no curl another program of that name: what it fetches is what matters here."""
    if shutil.which("curl"):
        return os.environ["PATH"]
    curl = folder / "bin" / "curl"
    curl.parent.mkdir(exist_ok=True)
    curl.write_text(STAND_IN.format(python=sys.executable))
    curl.chmod(0o755)
    return f"{curl.parent}{os.pathsep}{os.environ['PATH']}"


def own_environment(folder: Path, port: int) -> dict[str, str]:
    return {
        **environment(),
        "PATH": path_with_curl(folder),
        "BUILDSERVER_PORT": str(port),
        "BUILDSERVER_API_URL": f"http://127.0.0.1:{port}",
        "BUILDSERVER_DATA_DIR": str(folder / "data"),
        "BUILDSERVER_WORK_DIR": str(folder / "work"),
    }


def start(line: str, environ: dict[str, str], output: Path, until_it_says: str) -> subprocess.Popen[str]:
    with output.open("w") as file:
        process = subprocess.Popen(
            line.split(),
            cwd=ROOT,
            env=environ,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    until(lambda: until_it_says in output.read_text() or process.poll() is not None, f"{line} is under way")
    assert process.poll() is None, output.read_text()
    return process


def press_control_c(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)
    process.wait(DEADLINE_S)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, module_port: int) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("readme")
    environ = own_environment(folder, module_port)
    process = start(MAKE_UP, environ, folder / "up.out", "Ctrl-C stops it")
    yield Server(process, environ)
    press_control_c(process)
    assert (folder / "up.out").read_text().splitlines()[-1].startswith(("stopped", "make"))


def test_every_command_has_a_case() -> None:
    assert set(COMMANDS) == {*TO_THE_END, *BY_HAND, MAKE_DEMO, MAKE_EXIT, MAKE_UP, SELF, THIS_RUN}


@pytest.mark.parametrize("line", TO_THE_END)
def test_a_command_does_what_the_readme_says(server: Server, line: str) -> None:
    build, step = server.build("default")
    until(lambda: server.step(build)["status"] == "SUCCESS", "the build has ended")
    answer = server.run(line.replace("BUILD", build).replace("STEP", server.step(build)["name"]))
    assert (answer.returncode, answer.stderr) == (0, ""), answer
    assert TO_THE_END[line] in answer.stdout
    assert step in server.run(f"{TOOL} show {build} --json").stdout


@pytest.mark.parametrize("line", BY_HAND)
def test_a_step_can_be_run_by_hand(server: Server, tmp_path: Path, line: str) -> None:
    """It is for a pool without runners, so that nobody else takes it."""
    build, step = server.build("nobody")
    folder = tmp_path if "bash" in line else ROOT
    answer = server.run(line.replace("STEP_ID", step), folder)
    assert answer.returncode == 0, answer
    assert BY_HAND[line] in answer.stdout
    assert server.step(build)["status"] == ("READY" if "bash" in line else "SUCCESS")


def test_the_demo_with_exit_ends_as_its_build(tmp_path: Path, port: int) -> None:
    environ = own_environment(tmp_path, port)
    answer = subprocess.run(
        MAKE_EXIT.split(), capture_output=True, text=True, cwd=ROOT, env=environ, timeout=DEADLINE_S, check=False
    )
    assert answer.returncode == 0, answer
    assert "4 succeeded" in answer.stdout


def test_the_demo_stays_until_it_is_stopped(tmp_path: Path, port: int) -> None:
    output = tmp_path / "demo.out"
    process = start(MAKE_DEMO, own_environment(tmp_path, port), output, "Ctrl-C stops the demo.")
    assert urllib3.request("GET", f"http://127.0.0.1:{port}/docs", timeout=10.0).status == 200
    press_control_c(process)
    said = output.read_text()
    assert "4 succeeded" in said
    assert "stopped" in said.splitlines()


@pytest.mark.timeout(SELF_DEADLINE_S + 60)
def test_build_server_builds_itself(server: Server, tmp_path: Path) -> None:
    """From the files that git tracks, as they are now. Each step makes a .venv of its own with `make`."""
    answer = server.run(f"{SELF} --json", make_own_repository(tmp_path), SELF_DEADLINE_S)
    assert answer.returncode == 0, answer.stderr
    build = json.loads(answer.stdout)
    assert build["status"] == "SUCCESS"
    assert {step["name"]: step["status"] for step in build["steps"]} == {
        "lint": "SUCCESS",
        "unit-tests": "SUCCESS",
        "wheel": "SUCCESS",
    }
