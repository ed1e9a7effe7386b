"""Builds end by themselves: many at once, and when the runner is killed in the middle of a step."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import urllib3

from tests.e2e.running import BUILDSERVER, Running, buildserver, environment, kill_parents_first, until

DIAMONDS = 25
RECOVERED_S = 120
"""A lease of 30 seconds, a sweep, and the time a busy machine takes for the rest."""

BLOCKS_ONCE = """\
steps:
- name: only
  run: |
    [ "$STEP_ATTEMPT" -gt 1 ] || {{ touch '{flag}'; sleep 1000; }}
    echo "attempt $STEP_ATTEMPT"
"""


def test_25_diamonds_posted_at_once_all_succeed(system: Running, examples: Path) -> None:
    server = system.url("API")
    run = buildserver("run", str(examples / "diamond.yml"), "--json", "--server", server, cwd=examples)
    first = json.loads(run.stdout)
    builds = f"{server}/api/projects/{first['projectId']}/builds"

    def post(_: int) -> str:
        answer = urllib3.request("POST", builds, json={"workflowId": first["workflowId"]}, timeout=10.0)
        assert answer.status == 201, answer.data
        identifier: str = answer.json()["id"]
        return identifier

    with ThreadPoolExecutor(DIAMONDS) as threads:
        posted = set(threads.map(post, range(DIAMONDS)))

    def ended() -> dict[str, str]:
        page = urllib3.request("GET", f"{builds}?limit=1000", timeout=10.0).json()["builds"]
        statuses = {build["id"]: build["status"] for build in page if build["id"] in posted}
        return statuses if set(statuses.values()) <= {"SUCCESS", "FAILED"} else {}

    assert set(until(ended, "every build has ended").values()) == {"SUCCESS"}
    assert len(posted) == DIAMONDS


def test_a_runner_killed_in_the_middle_of_a_step_is_replaced(system: Running, tmp_path: Path) -> None:
    flag, flow = tmp_path / "flag", tmp_path / "flow.yml"
    flow.write_text(BLOCKS_ONCE.format(flag=flag))
    command = [*BUILDSERVER, "run", str(flow), "--json", "--server", system.url("API")]
    follower = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(), cwd=tmp_path)
    until(flag.exists, "the step runs")
    kill_parents_first([number for number, line in system.processes().items() if "tasks.runner" in line])
    until(lambda: "sleep 1000" not in " ".join(system.processes().values()), "the step's processes are gone")
    output, _ = follower.communicate(timeout=RECOVERED_S)
    assert follower.returncode == 0, output
    (step,) = json.loads(output)["steps"]
    assert (step["status"], step["attempt"]) == ("SUCCESS", 2)
