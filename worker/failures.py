"""How long to try again with a server that is there and does nothing but fail."""

from worker.api import Failing, Unreachable
from worker.clock import clock


class Failures:
    """Of the server, at one call that is repeated. They count anew after each try that got no answer at all."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._since: float | None = None

    def note(self, error: Unreachable) -> None:
        """What the newest try came to."""
        if not isinstance(error, Failing):
            self._since = None
        elif self._since is None:
            self._since = clock()

    @property
    def go_on(self) -> bool:
        """Whether the newest try was one."""
        return self._since is not None

    @property
    def last_too_long(self) -> bool:
        """Whether nothing else has come for as long as one has patience."""
        return self._since is not None and clock() >= self._since + self._patience_s
