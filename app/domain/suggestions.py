"""Finds the name that was probably meant, and stops looking before that becomes work worth a client's while."""

from collections.abc import Collection
from difflib import get_close_matches

BUDGET = 1_000_000
"""Pairs of characters that may be compared for one request, a second's work at the very worst. Names of ten letters
in a workflow of a hundred steps take 10,000 pairs for each name that is not there."""


class Suggestions:
    """Suggests some of the known names, until the comparisons of one request have used up what they may cost."""

    def __init__(self, known: Collection[str], budget: int = BUDGET) -> None:
        self._known = known
        self._length = sum(map(len, known))
        self._left = budget

    def close_to(self, name: str) -> str | None:
        """The known name most like the given one; None where none is, or where looking would cost too much."""
        cost = len(name) * self._length
        if cost > self._left:
            return None
        self._left -= cost
        return next(iter(get_close_matches(name, self._known, n=1)), None)
