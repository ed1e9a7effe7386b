"""Clocks that are ten minutes wrong: no runner is given up early for it, and none is missed late."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.services import steps
from tests.integration.tasks.system import System
from tests.support import postgres
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.server_process import NOTHING_ELSE, short_folder
from tests.support.wait import eventually
from tests.support.wall_clock import WallClock

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the library that puts clocks wrong is Linux's")

WRONG_S = 600
LEASE_S = 12
PATIENCE_S = 4 * LEASE_S
"""A lease, another one where the API seems to have been away, and room for a busy machine; far from ten minutes."""
SETTINGS = {
    "BUILDSERVER_LEASE_S": str(LEASE_S),
    "BUILDSERVER_HEARTBEAT_S": "0.5",
    "BUILDSERVER_SWEEP_INTERVAL_S": "0.2",
    "BUILDSERVER_RUNNERS": "1",
}
SCRIPT = """echo $STEP_ATTEMPT >> "{0}/$STEP_NAME"; until [ -e "{0}/end" ]; do sleep 0.1; done"""
PROGRAMS = ("api", "orchestrator", "runner")


@dataclass
class Scene:
    """Two steps, each on a runner of its own; `clocks`: what the environment of a role has besides."""

    system: System
    folder: Path
    clocks: Mapping[str, Mapping[str, str]]

    def __post_init__(self) -> None:
        script = SCRIPT.format(self.folder)
        self.system.settings |= SETTINGS
        self.build = self.system.build({"name": "kept", "runScript": script}, {"name": "lost", "runScript": script})
        self.kept, self.lost = self.system.step_ids(self.build)
        self.api = self.system.api(**self.clocks.get("api", {}))
        self.orchestrator = self.system.orchestrator(**self.clocks.get("orchestrator", {}))
        self.runners = {name: self._runner(name) for name in ("one", "other")}
        eventually(lambda: self.ran("kept") == self.ran("lost") == [1], describe=self._show)

    def ran(self, name: str) -> list[int]:
        """The attempts whose scripts began."""
        path = self.folder / name
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def lose(self) -> None:
        """Kill the runner of one of them."""
        (attempt,) = self.system.database.read(steps.attempts, self.lost)
        self.runners[attempt.runner or ""].kill()

    def judge(self) -> None:
        """The step of the runner that is gone is given to the other one after a lease; the other step is left alone."""
        eventually(lambda: self.system.step(self.lost).attempt == 2, PATIENCE_S, describe=self._show)
        (self.folder / "end").touch()
        eventually(lambda: self.system.statuses(self.build) == ["SUCCESS"] * 3, PATIENCE_S, describe=self._show)
        assert (self.ran("kept"), self.ran("lost")) == ([1], [1, 2])
        assert len(self.orchestrator.lines("attempt overdue")) == 1

    def _runner(self, name: str) -> Program:
        folder = self.folder / f"runner-{name}"
        own = {"BUILDSERVER_RUNNER_NAME": name, "BUILDSERVER_DATA_DIR": str(folder)}
        return self.system.runner(**own, **self.clocks.get("runner", {}))

    def _show(self) -> str:
        logs = [self.api.text, self.orchestrator.text, *(runner.text for runner in self.runners.values())]
        return "\n".join([str(self.system.statuses(self.build)), *logs])


@pytest.fixture
def clock() -> Iterator[WallClock]:
    """Where the user that servers run as can read it."""
    made = WallClock(short_folder("clock"))
    yield made
    made.remove()


@pytest.fixture
def put_wrong(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def scene(broker: RedisServer, tmp_path: Path, clock: WallClock, put_wrong: str) -> Iterator[Scene]:
    """On PostgreSQL, as on one machine there is one clock."""
    of_server = clock.environ if put_wrong == "database" else NOTHING_ELSE
    with postgres.running(of_server) as server, server.database() as url:
        system = System(url, broker, tmp_path)
        yield Scene(system, tmp_path, {put_wrong: clock.environ})
        system.close()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seconds", [WRONG_S, -WRONG_S], ids=["fast", "slow"])
@pytest.mark.parametrize("put_wrong", [*PROGRAMS, "database"], indirect=True)
def test_one_whose_clock_jumps_takes_no_attempt_away_and_leaves_none(
    scene: Scene, clock: WallClock, seconds: int
) -> None:
    clock.put(seconds)
    scene.lose()
    scene.judge()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seconds", [WRONG_S, -WRONG_S], ids=["fast", "slow"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_machine_whose_clock_jumps_takes_no_attempt_away_and_leaves_none(
    clock: WallClock, system: System, tmp_path: Path, seconds: int
) -> None:
    scene = Scene(system, tmp_path, dict.fromkeys(PROGRAMS, clock.environ))
    clock.put(seconds)
    scene.lose()
    scene.judge()
