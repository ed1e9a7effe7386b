"""`python -m tests.chaos --seed 7 --builds 20` (or `make chaos SEED=7 BUILDS=20`): a storm, and what came of it.

The same storm then goes over plain Celery (`control.py`), unless that is left out. Prints a summary for people and,
with `--json FILE`, everything for machines, which `sum.py` adds up. Ends with 1 where an invariant is broken.
"""

import argparse
import json
import sys
from pathlib import Path

from tests.chaos import control, storming
from tests.chaos.order import Order
from tests.chaos.report import told
from tests.chaos.verdict import Verdict


def main() -> int:
    """One storm per seed, one after the other."""
    asked = _arguments()
    verdicts: list[Verdict] = []
    for seed in range(asked.seed, asked.seed + asked.storms):
        on_postgresql = asked.database == "postgresql"
        order = Order(
            seed,
            asked.builds,
            asked.seconds,
            on_postgresql,
            asked.kills,
            asked.runners,
            slots=asked.slots,
            calm=asked.calm,
            most_open=asked.open,
        )
        verdicts.append(_run(order, asked.control and asked.open is None))
        print(told(verdicts[-1]), flush=True)
        if asked.json:  # after each, so that many hours are not lost with the last storm
            asked.json.write_text(json.dumps([verdict.to_dict() for verdict in verdicts], indent=1))
    return 1 if any(verdict.wrong for verdict in verdicts) else 0


def _run(order: Order, with_control: bool) -> Verdict:
    verdict = storming.run(order)
    if with_control:
        verdict.control, verdict.control_faults = control.run(order)
    return verdict


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="of the first storm; the same seed is the same storm")
    parser.add_argument("--storms", type=int, default=1, help="how many, with seeds that follow each other")
    parser.add_argument("--builds", type=int, default=20, help="builds in each storm")
    parser.add_argument("--seconds", type=float, default=60, help="how long faults come")
    parser.add_argument(
        "--kills", type=int, default=1, help="so many times as many SIGKILLs; all else as often as ever"
    )
    parser.add_argument("--runners", type=int, default=3, help="programs that run steps; more for more kills")
    parser.add_argument("--slots", type=int, default=2, help="steps that each of them runs at once; for more builds")
    parser.add_argument("--calm", type=float, default=1.0, help="so many times as long between one fault and the next")
    parser.add_argument(
        "--open", type=int, help="at most so many builds open at once; faults until all are posted, no control"
    )
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--no-control", dest="control", action="store_false", help="leave plain Celery out")
    parser.add_argument("--json", type=Path, help="a file for the whole result")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
