"""Runs one step by hand: `python -m worker STEP_ID [--api-url URL]`.

Exit status 0 when the step succeeded, 1 when it failed, 2 when it could not be run.
"""

import argparse
import os
import signal
import sys
from dataclasses import replace

from config.settings import SettingsError, load_settings
from worker.api import ApiError
from worker.runner import Runner

CANNOT_RUN = 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m worker", description="Run one step of a build on this machine.")
    parser.add_argument("step_id", help="the step run's id, as the build shows it")
    parser.add_argument("--api-url", help="where the server is; by default BUILDSERVER_API_URL")
    arguments = parser.parse_args()
    try:
        settings = load_settings()
    except SettingsError as error:
        print(f"buildserver: {error}", file=sys.stderr)
        return CANNOT_RUN
    settings = replace(settings, api_url=arguments.api_url or settings.api_url, runner_slots=1)
    runner = Runner(settings, on_output=_show)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: runner.stop())
    try:
        runner.start()
        outcome = runner.run(arguments.step_id)
    except ApiError as error:
        print(f"buildserver: {error}", file=sys.stderr)
        return CANNOT_RUN
    return 0 if outcome is not None and outcome.reason is None else 1


def _show(content: bytes) -> None:
    os.write(sys.stdout.fileno(), content)


if __name__ == "__main__":
    sys.exit(main())
