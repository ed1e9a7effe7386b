"""How long a runner rests whose machine cannot run steps: else it would take and return every step of its pool."""

import threading

FIRST_S = 5.0
LONGEST_S = 60.0


class Rests:
    """One per runner; thread-safe. The pause is for each of its slots."""

    def __init__(self) -> None:
        self._changed = threading.Lock()
        self._next_s = FIRST_S
        self.pause_s = 0.0

    def fails(self) -> None:
        """A step could not be run: the next pause is twice as long."""
        with self._changed:
            self.pause_s, self._next_s = self._next_s, min(2 * self._next_s, LONGEST_S)

    def works(self) -> None:
        """A step could be run: there is no pause any more."""
        with self._changed:
            self.pause_s, self._next_s = 0.0, FIRST_S
