"""Long lists of values for one statement, cut into pieces a database takes."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

BATCH = 500
"""Values in one IN list: well under SQLite's 32,766 and PostgreSQL's 65,535 parameters, and each plan stays small."""

Value = TypeVar("Value")


def batches(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """The values in order, BATCH at a time."""
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]
