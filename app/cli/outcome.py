"""The end of a build at the terminal: the log of what failed, how to see all of it, and the outcome last."""

import shlex
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from app.cli.answers import Build, StepRun
from app.cli.client import ApiClient
from app.cli.errors import ExitStatus
from app.cli.options import print_line
from app.cli.wording import duration, one_line, printable
from app.domain.vocabulary import BuildStatus, StepStatus

COMMAND = "buildserver"
TAIL_LINES = 20
LOGS_SHOWN = 3  # the first failures; the others usually follow from them


def print_outcome(console: Console, client: ApiClient, build: Build, default_server: str) -> ExitStatus:
    """Print how the finished build ended, and return the exit status that says the same."""
    failed = [step for step in build.steps if step.status == StepStatus.FAILED]
    for step in failed[:LOGS_SHOWN]:
        print_log_tail(console, client, build, step, default_server)
    if failed:
        console.print()
    elapsed_s = build.elapsed_s(datetime.now(UTC)) or 0.0
    succeeded = build.status == BuildStatus.SUCCESS
    style = "bold green" if succeeded else "bold red"
    console.print(Text(f"{build.status} in {duration(elapsed_s)}: {counts(build)}", style=style), soft_wrap=True)
    return ExitStatus.OK if succeeded else ExitStatus.BUILD_FAILED


def print_log_tail(console: Console, client: ApiClient, build: Build, step: StepRun, default_server: str) -> None:
    """The last lines of a step's log, and the command that shows all of it where that is more."""
    lines = printable(client.step_log(step.id).decode(errors="replace")).splitlines()
    tail = lines[-TAIL_LINES:]
    is_cut = len(lines) > len(tail)
    heading = f"the last {len(tail)} of {len(lines)} lines" if is_cut else "its log"
    console.print()
    print_line(console, Text(f"── {one_line(step.name)}: {heading}", style="bold"))
    for line in tail or ["(it printed nothing)"]:
        console.print(Text(f"  {line}"), soft_wrap=True)
    if is_cut:
        command = command_line(client, default_server, "logs", build.id, step.name)
        console.print(Text(f"── all of it: {command}", style="dim"), soft_wrap=True)


def command_line(client: ApiClient, default_server: str, *arguments: str) -> str:
    """A `buildserver` command to copy, with --server where the default would ask another one."""
    server = [] if client.server_url == default_server.rstrip("/") else ["--server", client.server_url]
    return shlex.join([program(), *(one_line(argument) for argument in arguments), *server])


def program() -> str:
    """`buildserver` where a shell finds this one under that name, else the path that it was called by."""
    called = Path(sys.argv[0])
    on_path = shutil.which(called.name)
    is_found = on_path is not None and Path(on_path).resolve() == called.resolve()
    return COMMAND if is_found or called.name != COMMAND else str(called)


def counts(build: Build) -> str:
    """`3 succeeded, 1 failed, 1 skipped`, leaving out what there is none of."""
    words = {
        StepStatus.SUCCESS: "succeeded",
        StepStatus.FAILED: "failed",
        StepStatus.SKIPPED: "skipped",
        StepStatus.CANCELLED: "cancelled",
    }
    numbers = {word: sum(step.status == status for step in build.steps) for status, word in words.items()}
    return ", ".join(f"{number} {word}" for word, number in numbers.items() if number) or "no steps"
