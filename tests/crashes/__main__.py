"""Crashes a build at every point of its way: `python -m tests.crashes` (or `make crashes`).

A point is before or after a SQL statement, a commit, a broker call or a runner's request. Ends with 1 if what is left
behind at any of them is not whole, or does not recover.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.crashes.plan import PLANS
from tests.crashes.rehearsal import Rehearsal, Verdict, is_report
from tests.support.databases import KINDS, folder_in_memory, migrated
from tests.support.redis_server import RedisServer

ENOUGH = 10
"""Points at which it did not recover; a build that is stuck takes its time, and more of them tell nothing new."""
COMES_BACK = ("soon", "late")


def main() -> int:
    asked = _arguments()
    began = time.monotonic()
    with _surroundings(asked.database) as folder:
        rehearsal = Rehearsal(PLANS[asked.plan], folder)
        points = rehearsal.points()
        numbers = asked.point or range(1, len(points) + 1, asked.every)
        verdicts = _crash(rehearsal, numbers, points)
    print(told(asked.plan, asked.database, verdicts, time.monotonic() - began))
    if asked.json:
        asked.json.write_text(json.dumps([vars(verdict) for verdict in verdicts], indent=1))
    return 1 if any(verdict.wrong for verdict in verdicts) else 0


def told(plan: str, database: str, verdicts: Sequence[Verdict], took_s: float) -> str:
    """The verdicts as people read them: how many points of each role and kind."""
    recovered = Counter(_kind(verdict.point) for verdict in verdicts if not verdict.wrong)
    kinds = Counter(_kind(verdict.point) for verdict in verdicts)
    lines = [
        f"{plan} build, {database}: {len(verdicts):,} crashes, {recovered.total():,} recovered, {took_s:.0f} s",
        *(f"  {kind:32} {number:6,} {recovered[kind]:6,} recovered" for kind, number in sorted(kinds.items())),
    ]
    return "\n".join(lines)


def _crash(rehearsal: Rehearsal, numbers: Iterable[int], points: Sequence[str]) -> list[Verdict]:
    """Crash at each of the points, or until it is clear that something is wrong."""
    verdicts: list[Verdict] = []
    wrong = 0
    for number in numbers:
        for verdict in _verdicts(rehearsal, number, points[number - 1]):
            verdicts.append(verdict)
            if verdict.wrong:
                print(f"BROKEN at {verdict.point}: {'; '.join(verdict.wrong)}", flush=True)
                wrong += 1
        if wrong >= ENOUGH:
            break
    return verdicts


def _verdicts(rehearsal: Rehearsal, number: int, point: str) -> Iterator[Verdict]:
    yield rehearsal.crash_at(number)
    if is_report(point):
        yield from (rehearsal.crash_at(number, comes_back) for comes_back in COMES_BACK)


def _kind(point: str) -> str:
    """The role and what it was at, before or after."""
    return point.split(" (", maxsplit=1)[0].replace("before ", "").replace("after ", "")


@contextmanager
def _surroundings(database: str) -> Iterator[Path]:
    """A database and a broker, both empty and named in the environment; and a folder."""
    with ExitStack() as stack:
        folder = stack.enter_context(folder_in_memory())
        redis = RedisServer()
        stack.callback(redis.remove)
        url = stack.enter_context(migrated(database, folder))
        os.environ.update(
            BUILDSERVER_DATA_DIR=str(folder), DATABASE_URL=url, REDIS_URL=redis.url, BUILDSERVER_LOG_LEVEL="ERROR"
        )
        yield folder


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make crashes", description=__doc__.split("\n")[0])
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--plan", choices=tuple(PLANS), default="whole", help="which build")
    parser.add_argument("--every", type=int, default=1, help="leave out all but every so many points")
    parser.add_argument("--point", type=int, action="append", help="the number of a point, in place of all")
    parser.add_argument("--json", type=Path, help="a file for every point's verdict")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
