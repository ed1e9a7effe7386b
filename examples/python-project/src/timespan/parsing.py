"""From text to seconds."""

import re

from timespan.units import MILLISECONDS

PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|w|d|h|m|s)\s*")


def parse(text: str) -> float:
    """The seconds that the text says, as in `1h 30m`. Each unit at most once, in any order.

    Raises ValueError for anything else, naming what was not understood.
    """
    milliseconds, position, seen = 0.0, 0, set()
    while position < len(text):
        part = PART.match(text, position)
        if part is None:
            raise ValueError(f"not a duration: {text[position:].strip()!r} in {text!r}")
        amount, unit = part.groups()
        if unit in seen:
            raise ValueError(f"the unit {unit!r} is given twice in {text!r}")
        seen.add(unit)
        milliseconds += float(amount) * MILLISECONDS[unit]
        position = part.end()
    if not seen:
        raise ValueError("an empty text is no duration")
    return milliseconds / MILLISECONDS["s"]
