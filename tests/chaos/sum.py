"""`python -m tests.chaos.sum FILE...` adds what `make chaos ARGS='--json FILE'` wrote: many storms as one.

Ends with 1 where an invariant is broken in any of them.
"""

import argparse
import json
import sys
from pathlib import Path

from tests.chaos.report import told_sum
from tests.chaos.verdict import Verdict


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.sum", description=__doc__.split("\n")[0])
    parser.add_argument("files", type=Path, nargs="+", help="what --json wrote")
    verdicts = [Verdict.from_dict(told) for file in parser.parse_args().files for told in json.loads(file.read_text())]
    total = Verdict(verdicts[0].order)
    for verdict in verdicts:
        total.add(verdict)
    print(told_sum(len(verdicts), sum(verdict.control is not None for verdict in verdicts), total))
    return 1 if total.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
