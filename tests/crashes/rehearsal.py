"""Plays one build in a child process that dies at a given point, and the rest of it in another one.

The parent opens no connection and starts no thread, so that a child can be what a program is that was just started.
"""

import gc
import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy.orm import Session

from app.domain.graph import GraphLimits
from app.models.database import Database
from app.services import images, projects, workflows
from config.settings import load_settings
from tasks.celery_app import make_celery, pool_queue
from tests.crashes import judge
from tests.crashes.fuse import CRASHED, Fuse
from tests.crashes.plan import Plan
from tests.crashes.player import FINAL_STAGE, RUNNER, Job, Known, Player, World
from tests.crashes.roles import Api, Broker, Mailbox, Orchestrator

STUCK_AFTER_S = 60
"""A child needs about a second; one that is stuck is ended, which counts as a failure."""


@dataclass(frozen=True)
class Verdict:
    """A point, and what was wrong after a crash there."""

    point: str
    wrong: list[str]


class Rehearsal:
    """One database and one broker, in which build after build is played; `folder` is for what children leave."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan, self._told = plan, folder / "told.json"
        self._settings = settings = load_settings()
        self._fuse = Fuse()
        self._fuse.lay()
        self._api, orchestrator = Api(settings, self._fuse), Orchestrator(self._fuse)
        runner = Mailbox(make_celery(settings, [pool_queue("default")]))
        database = Database(settings.database_url)
        self._world = World(database, Broker(settings), self._api, orchestrator, runner, "", "")
        project, workflow = database.transact(_make, plan)
        self._world = replace(self._world, project=project, workflow=workflow)
        self._warm_up()

    def points(self) -> list[str]:
        """Every point of a build that nothing befalls, which must be in order itself."""

        def act() -> None:
            player = self._player(Known(uuid4().hex))
            player.play()
            self._tell([self._fuse.passed, self._at_end(player, lost=0)])

        passed, wrong = self._child(act)
        assert not wrong, wrong
        return list(passed)

    def crash_at(self, number: int, comes_back: str | None = None) -> Verdict:
        """A build in which the process dies at the point of this number, from 1; and what becomes of the build.

        `comes_back`: whether a runner with a report on its disk comes back "soon", or "late" when all is over.
        """
        last_words = self._child(lambda: self._die(number))
        if "point" not in last_words:
            return Verdict(f"nowhere (point {number})", [f"it was not reached: {last_words}"])
        wrong = self._child(lambda: self._go_on(last_words, comes_back))
        where = f"point {number}" + (f", the runner comes back {comes_back}" if comes_back else "")
        return Verdict(f"{last_words['point']} ({where})", wrong)

    def _warm_up(self) -> None:
        """Play a build here and let go of every connection: the children need not think of each statement anew."""
        Player(self._world, self._plan, Known(uuid4().hex), self._fuse).play()
        self._world.close()
        self._fuse.passed.clear()
        gc.collect()
        gc.freeze()

    def _die(self, number: int) -> None:
        self._world.broker.empty()
        known = Known(uuid4().hex)
        self._fuse.fatal = number
        self._fuse.last_words = lambda point: self._tell({"point": point, "known": known.to_dict()})
        self._player(known).play()
        self._tell({})

    def _go_on(self, last_words: dict[str, Any], comes_back: str | None) -> None:
        known = Known(**last_words["known"])
        known.job = Job(**last_words["known"]["job"]) if known.job else None
        wrong = self._read(judge.after_crash, self._world.broker, known.key)
        is_runner = last_words["point"].startswith(RUNNER)
        died_with = known.job if is_runner else None
        known.job = None if is_runner else known.job
        player = self._player(known)
        if died_with and comes_back == "soon":
            player.deliver(died_with)
        player.play()
        if died_with and comes_back == "late":
            player.deliver(died_with)
        self._tell([*wrong, *self._at_end(player, lost=int(is_runner))])

    def _at_end(self, player: Player, lost: int) -> list[str]:
        known = player.known
        return self._read(judge.at_end, self._world.broker, known.build, known.key, self._plan, lost)

    def _player(self, known: Known) -> Player:
        self._api.start()
        return Player(self._world, self._plan, known, self._fuse)

    def _read(self, look: Callable[..., list[str]], *args: Any) -> list[str]:
        return self._world.database.read(look, *args)

    def _tell(self, what: object) -> None:
        self._told.write_text(json.dumps(what))

    def _child(self, act: Callable[[], None]) -> Any:
        """Act in a child process; what it told."""
        self._told.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            _be_child(act)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        told = json.loads(self._told.read_text()) if self._told.exists() else None
        return told if status in (0, CRASHED) else [f"the process that went on ended with {status}"]


def _be_child(act: Callable[[], None]) -> None:
    """Never returns: the parent's work is not the child's."""
    signal.alarm(STUCK_AFTER_S)
    gc.disable()
    status = 1
    with suppress(Exception):
        act()
        status = 0
    os._exit(status)


def is_report(point: str) -> bool:
    return point.startswith(RUNNER) and FINAL_STAGE in point


def _make(session: Session, plan: Plan) -> tuple[str, str]:
    images.create(session, "alpine", "alpine:3.20", public=True)
    project = projects.create(session, "acme", "rocket")
    workflow = workflows.create(session, project.id, "ci", plan.posted(), GraphLimits(100, 100))
    return project.id, workflow.id
