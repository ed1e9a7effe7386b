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
from dataclasses import asdict, dataclass
from pathlib import Path

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
    guards = [guard for guard in GUARDS if asked.only in (None, guard.name)]
    if stale := [guard.name for guard in guards if not guard.is_found_in(ROOT)] or not guards:
        print(f"not in the product as the table says: {stale}")
        return 2
    try:
        with copied() as copy:
            findings = _judge(copy, guards)
    except Unclear as unclear:
        print(unclear)
        return 2
    if asked.json:
        asked.json.write_text(json.dumps([asdict(finding) for finding in findings], indent=1))
    green = [finding.guard for finding in findings if finding.red is None]
    print(f"{len(findings)} guards, {len(green)} without a test: {', '.join(green) or 'none'}")
    return 1 if green else 0


def _judge(copy: Copy, guards: Sequence[Guard]) -> list[Finding]:
    _require_all_green(copy, guards)
    findings = []
    for guard in guards:
        findings.append(_finding(copy, guard))
        print(f"{guard.name}: {findings[-1].red or 'STAYS GREEN'}, {findings[-1].seconds:.1f} s", flush=True)
    return findings


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
    parser.add_argument("--only", metavar="NAME", help="one guard")
    parser.add_argument("--json", type=Path, metavar="FILE", help="a file for the findings")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
