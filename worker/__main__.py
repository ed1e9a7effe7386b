"""Runs one step by hand: `python -m worker STEP_ID [--api-url URL]`."""

import argparse
import os
import signal
import sys
from contextlib import suppress

from config.logging import configure_logging
from config.settings import Settings, SettingsError, load_settings
from worker.api import ApiError
from worker.attempt import Outcome
from worker.runner import Runner, Stopping

SUCCEEDED, FAILED, NOT_RUN = 0, 1, 2
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STATUSES = """\
Exit status: 0 the step succeeded, 1 it failed, 2 there is no result that counts: there is no such step, somebody
else has it, the server does not answer or does not take the result, or it was interrupted. An interrupted step goes
back to the server.
"""


def main() -> int:
    arguments = _parser().parse_args()
    try:
        settings = _settings(arguments.api_url)
        configure_logging(settings)
        return _run(Runner(settings, on_output=_show), arguments.step_id)
    except (SettingsError, ApiError, Stopping, OSError) as error:
        _say(str(error))
        return NOT_RUN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m worker",
        description="Run one step of a build on this machine, show what it prints, and report how it went.",
        epilog=STATUSES,
    )
    parser.add_argument("step_id", metavar="STEP_ID", help="the step run's id, as the build shows it")
    parser.add_argument("--api-url", metavar="URL", help="where the server is; by default BUILDSERVER_API_URL")
    return parser


def _settings(api_url: str | None) -> Settings:
    given = {"BUILDSERVER_RUNNERS": "1", **({"BUILDSERVER_API_URL": api_url} if api_url else {})}
    return load_settings({"BUILDSERVER_LOG_LEVEL": "WARNING", **os.environ, **given})


def _run(runner: Runner, step_id: str) -> int:
    for number in NUMBERS:
        signal.signal(number, lambda *_: runner.request_stop())
    runner.start()
    try:
        return _status(runner.run(step_id))
    finally:
        runner.close()
        for number in NUMBERS:  # it is over: one more must not change the exit status
            signal.signal(number, signal.SIG_IGN)


def _status(outcome: Outcome | None) -> int:
    if outcome is None:
        _say("this runner does not have the attempt, or not any more")
        return NOT_RUN
    if outcome.reason == "lost":
        _say("the step was not run to its end; its attempt goes back to the server")
        return NOT_RUN
    return FAILED if outcome.reason else SUCCEEDED


def _show(content: bytes) -> None:
    """Past Python's buffer, which would complain at the end where nobody looks any more. The step goes on then."""
    with suppress(BrokenPipeError):
        while content:
            content = content[os.write(sys.stdout.fileno(), content) :]


def _say(line: str) -> None:
    print(f"buildserver: {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
