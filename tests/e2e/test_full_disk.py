"""`up` while its disk is full, which a limit on the size of files stands in for: nobody needs rights for that."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3

from tests.e2e.running import BUILDSERVER, Running, environment, running, until

WAITS = """\
steps:
- name: waits
  run: |
    touch '{begun}'
    until [ -e '{flag}' ]; do sleep 0.1; done
- {{name: after, dependsOn: [waits], run: 'true'}}
"""
OURS = ("app.cli.supervisor", "gunicorn", "tasks.orchestrator", "tasks.runner")


@contextmanager
def full_disk(system: Running) -> Iterator[None]:
    """No file of the supervisor or the programs can grow. Redis is spared: its messages are hints."""
    limited = [number for number, line in system.processes().items() if any(name in line for name in OURS)]
    for number in limited:
        resource.prlimit(number, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    yield
    for number in limited:
        resource.prlimit(number, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def projects(system: Running) -> list[str]:
    answer = urllib3.request("GET", f"{system.url('API')}/api/projects?accountId=full", timeout=10.0)
    return [project["name"] for project in answer.json()]


def create_project(system: Running, name: str) -> urllib3.BaseHTTPResponse:
    body = {"accountId": "full", "name": name}
    return urllib3.request("POST", f"{system.url('API')}/api/projects", json=body, timeout=30.0)


def test_a_full_disk_is_a_503_that_changes_nothing_and_builds_go_on_when_there_is_room(
    tmp_path: Path, port: int
) -> None:
    begun, flag, flow = tmp_path / "begun", tmp_path / "flag", tmp_path / "flow.yml"
    flow.write_text(WAITS.format(begun=begun, flag=flag))
    with running(tmp_path / "data", "up", "--port", str(port)) as system:
        assert create_project(system, "before").status == 201
        command = [*BUILDSERVER, "run", str(flow), "--server", system.url("API")]
        follower = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(), cwd=tmp_path)
        until(begun.exists, "the step runs")
        with full_disk(system):
            refused = create_project(system, "meanwhile")
            assert (refused.status, set(refused.json())) == (503, {"error"})
            assert projects(system) == ["before"]
            flag.touch()
            until(lambda: "sleep 0.1" not in " ".join(system.processes().values()), "the step has ended")
            assert follower.poll() is None
        output, _ = follower.communicate(timeout=90)
        assert follower.returncode == 0, output
        assert create_project(system, "after").status == 201
        assert projects(system) == ["before", "after"]
        assert system.process.poll() is None
