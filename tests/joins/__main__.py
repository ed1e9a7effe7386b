"""Contended joins: `python -m tests.joins --joins 10000 --database postgresql` (or `make joins JOINS=10000`).

Siblings of a join report their end at the same moment; the join must become READY once. Ends with 1 where one was
missed or doubled. Parts with different seeds add up.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from tests.joins.count import BATCH, Count, count
from tests.support.databases import KINDS, folder_in_memory, migrated

TELL_EVERY = 20 * BATCH


def main() -> int:
    """Count, tell how far it is now and then, and tell what came of it."""
    asked = _arguments()
    began = time.monotonic()
    with folder_in_memory() as folder, migrated(asked.database, folder) as url:
        for so_far in count(url, asked.joins, asked.seed):
            if so_far.joins % TELL_EVERY == 0:
                print(told(so_far, asked.database, time.monotonic() - began), flush=True)
    took_s = time.monotonic() - began
    print("in all", told(so_far, asked.database, took_s), *so_far.wrong, sep="\n  ")
    if asked.json:
        about = {"database": asked.database, "seed": asked.seed, "seconds": round(took_s, 1)}
        asked.json.write_text(json.dumps({**about, **vars(so_far)}, indent=1))
    return 1 if so_far.wrong else 0


def told(so_far: Count, database: str, took_s: float) -> str:
    """One line for people."""
    return (
        f"{database}: {so_far.joins:,} joins of width {min(so_far.widths)}–{max(so_far.widths)},"
        f" {so_far.siblings:,} siblings: {so_far.missed} missed, {so_far.doubled} doubled,"
        f" {so_far.refused} reports refused, {took_s:.0f} s"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make joins", description=__doc__.split("\n")[0])
    parser.add_argument("--joins", type=int, default=10_000, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="of the widths; runs with different ones add up")
    parser.add_argument("--database", choices=KINDS, default="postgresql")
    parser.add_argument("--json", type=Path, help="a file for the counts")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
