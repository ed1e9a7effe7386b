"""From seconds to text."""

from timespan.units import MILLISECONDS


def spell(seconds: float) -> str:
    """The duration in the units that it needs, rounded to milliseconds: `1h 30m`. What `parse` reads back."""
    if seconds < 0:
        raise ValueError(f"a duration cannot be negative: {seconds}")
    rest = round(seconds * MILLISECONDS["s"])
    parts = []
    for unit, size in MILLISECONDS.items():
        amount, rest = divmod(rest, size)
        if amount:
            parts.append(f"{amount}{unit}")
    return " ".join(parts) or "0s"
