"""What can end a command, each with its exit status and one clear line for the person at the terminal.

Every error that a user can cause or meet is one of these; `main` prints it and exits. Anything else is a bug.
"""

from enum import IntEnum


class ExitStatus(IntEnum):
    """The exit statuses of every `buildserver` command, documented in its help."""

    OK = 0
    BUILD_FAILED = 1
    USAGE = 2
    SERVER = 3
    INTERRUPTED = 130


class CommandError(Exception):
    """Ends the command with one line on stderr (further lines only where they name what to do)."""

    exit_status = ExitStatus.USAGE
    prefix = "buildserver: "


class UsageFault(CommandError):
    """The command line, the workflow file or the machine is not as it must be; nothing was started or sent."""


class ServerUnreachable(CommandError):
    """No answer from the server: not running, another address, or the network."""

    exit_status = ExitStatus.SERVER


class Refused(CommandError):
    """The server answered, and the answer is an error. `status` is the HTTP status."""

    exit_status = ExitStatus.SERVER

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class StartupFailed(CommandError):
    """`up` could not bring the system up; what had been started is stopped again."""

    exit_status = ExitStatus.SERVER
