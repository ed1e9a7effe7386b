"""`python -m tests.chaos --seed 7 --builds 20` (or `make chaos SEED=7 BUILDS=20`): a storm, and what came of it.

Prints a summary for people and, with `--json FILE`, everything for machines. Ends with 1 where an invariant is broken.
"""

import argparse
import json
import sys
from pathlib import Path

from tests.chaos.invariants import JUDGED
from tests.chaos.storming import Order, Verdict, run


def main() -> int:
    """One storm per seed, one after the other."""
    asked = _arguments()
    verdicts = []
    for seed in range(asked.seed, asked.seed + asked.storms):
        order = Order(seed, asked.builds, asked.seconds, asked.database == "postgresql")
        verdicts.append(run(order))
        print(told(verdicts[-1]), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps([verdict.to_dict() for verdict in verdicts], indent=1))
    return 1 if any(verdict.wrong for verdict in verdicts) else 0


def told(verdict: Verdict) -> str:
    """The verdict as people read it."""
    order = verdict.order
    database = "PostgreSQL" if order.on_postgresql else "SQLite"
    lines = [
        f"storm {order.seed}: {order.builds} builds, {verdict.steps} steps, {database}, {order.seconds:g} s of faults",
        f"  faults    {sum(verdict.faults.values())}: {_counted(verdict.faults)}",
        f"  restarts  {_counted(verdict.restarts)}",
        f"  attempts  {verdict.attempts}, the last build ended {verdict.open_after_s} s after the last fault",
    ]
    for invariant in JUDGED:
        wrongs = verdict.wrong.get(invariant, [])
        lines.append(f"  {'BROKEN' if wrongs else 'holds '}  {invariant}")
        lines += [f"            {wrong}" for wrong in wrongs]
    if verdict.files:
        lines.append(f"  logs and ledger are in {verdict.files}")
    return "\n".join(lines)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda each: -each[1])) or "none"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="of the first storm; the same seed is the same storm")
    parser.add_argument("--storms", type=int, default=1, help="how many, with seeds that follow each other")
    parser.add_argument("--builds", type=int, default=20, help="builds in each storm")
    parser.add_argument("--seconds", type=float, default=60, help="how long faults come")
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--json", type=Path, help="a file for the whole result")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
