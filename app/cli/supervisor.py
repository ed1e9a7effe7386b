"""supervisord, whose logs may fail: where a disk has no room lines are lost, and nothing ends for it.

Its own handlers complain to standard error, which lies on the same disk and then ends the supervisor; and one that
cannot rotate stops reading its program, which then waits for ever with a full pipe. Run with supervisord's arguments.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

from supervisor import loggers, supervisord


class PatientFile(loggers.RotatingFileHandler):
    """A rotating log file that takes what it can."""

    stream: Any

    def emit(self, record: loggers.LogRecord) -> None:
        """Write the record, or lose it; a file that was closed because it could not be rotated is opened again."""
        with suppress(OSError):
            if self.stream.closed:
                self.reopen()
            super().emit(record)

    def reopen(self) -> None:
        """Not its base class's, which fails on a stream that is closed already."""
        self.stream.close()
        self.stream = Path(self.baseFilename).open(self.mode)  # noqa: SIM115  # open as long as its program runs

    def handleError(self) -> None:
        """Say nothing: there is nowhere to say it."""


def main() -> None:
    loggers.RotatingFileHandler = PatientFile  # what its `handle_file` makes, for itself and for every program
    supervisord.main()


if __name__ == "__main__":
    main()
