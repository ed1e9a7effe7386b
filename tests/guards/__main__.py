"""Takes out each guard and shows which test goes red: `python -m tests.guards` (or `make guards`).

All the tests pass first with every guard in place, or nothing is judged. A line for each guard. Ends with 1 where one
stays green, which means that a test is missing, and with 2 where a guard is not where the table says.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from tests.guards.copy import ROOT, Copy, Unclear, copied
from tests.guards.guard import CONTRACTS, Guard
from tests.guards.table import GUARDS


@dataclass(frozen=True)
class Finding:
    """A guard, the test that noticed its absence, and how long that took."""

    guard: str
    red: str | None
    seconds: float


def main() -> int:
    """Judge the guards asked for, and tell."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the copy is removed
    asked = _arguments()
    guards = [guard for guard in GUARDS if asked.only in guard.name]
    if not guards:
        print(f"no guard's name has {asked.only!r} in it")
        return 2
    if stale := [guard.name for guard in guards if not guard.is_found_in(ROOT)]:
        print(f"not in the product as the table says: {stale}")
        return 2
    try:
        with ExitStack() as kept:
            findings = _judge([kept.enter_context(copied()) for _ in range(asked.at_once)], guards)
    except Unclear as unclear:
        print(unclear)
        return 2
    if asked.json:
        asked.json.write_text(json.dumps([asdict(finding) for finding in findings], indent=1))
    green = [finding.guard for finding in findings if finding.red is None]
    print(f"{len(findings)} guards, {len(green)} without a test: {', '.join(green) or 'none'}")
    return 1 if green else 0


def _judge(copies: Sequence[Copy], guards: Sequence[Guard]) -> list[Finding]:
    """As many guards at once as there are copies, each without one guard at a time."""
    _require_all_green(copies[0], guards)
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in copies:
        free.put(copy)
    with ThreadPoolExecutor(len(copies)) as pool:
        return list(pool.map(partial(_judge_one, free), guards))


def _judge_one(free: SimpleQueue[Copy], guard: Guard) -> Finding:
    copy = free.get()
    try:
        finding = _finding(copy, guard)
    finally:
        free.put(copy)
    print(f"{guard.name}: {finding.red or 'STAYS GREEN'}, {finding.seconds:.1f} s", flush=True)
    return finding


def _require_all_green(copy: Copy, guards: Sequence[Guard]) -> None:
    """A test that is red with every guard in place says nothing about one."""
    wanted = sorted({test for guard in guards for test in guard.tests} - {CONTRACTS})
    if red := copy.red(wanted) if wanted else None:
        raise Unclear(f"red with every guard in place: {red}")


def _finding(copy: Copy, guard: Guard) -> Finding:
    began = time.monotonic()
    with copy.without(guard):
        red = copy.red(guard.tests)
    return Finding(guard.name, red, round(time.monotonic() - began, 1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make guards", description=__doc__.split("\n")[0])
    parser.add_argument("--only", metavar="NAME", default="", help="those guards whose name has this in it")
    parser.add_argument("--at-once", type=int, default=2, choices=range(1, 9), metavar="N", help="how many at once (2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="a file for the findings")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
