"""What a message may hold: ids and the number of an attempt. Whoever can reach the broker can send anything else."""

import re

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LARGEST_ATTEMPT = 2**31 - 1
"""The database's integers end there."""


def is_id(value: object) -> bool:
    """Whether it has the form of an id; the rows say whether there is such a thing."""
    return isinstance(value, str) and ID.fullmatch(value) is not None


def is_attempt(value: object) -> bool:
    """Whether it can be the number of an attempt."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST_ATTEMPT
