"""`buildserver show`: one build with its steps, its attempts where there were several, and the log of what failed."""

import json
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.text import Text

from app.cli.answers import Build, StepRun
from app.cli.client import ApiClient
from app.cli.errors import ExitStatus
from app.cli.find_build import whole_id
from app.cli.options import connect, console, heading, json_option, print_line, server_option
from app.cli.outcome import print_outcome
from app.cli.progress import name_width, standing, step_line
from app.cli.wording import duration, one_line, origin, waiting


@click.command()
@click.argument("build_id", metavar="BUILD")
@server_option
@json_option
def show(build_id: str, server: str | None, as_json: bool) -> ExitStatus:
    """Show one build: its steps and what failed.

    BUILD is the build's id, or the beginning of it. Shown are its steps, how they went, and the log of what failed.
    """
    client, settings = connect(server)
    build_id = whole_id(client, build_id)
    if as_json:
        click.echo(json.dumps(client.build_json(build_id), indent=2))
        return ExitStatus.OK
    build = client.build(build_id)
    out = console()
    print_steps(out, client, build)
    if build.final:
        print_outcome(out, client, build, settings.api_url)
    else:
        now = datetime.now(UTC)
        out.print(Text(f"{build.status}{standing(build, 0, now)}", style="cyan"), soft_wrap=True)
        for text in waiting(build, now).values():
            out.print(Text(text, style="yellow"), soft_wrap=True)
    return ExitStatus.OK


def print_steps(out: Console, client: ApiClient, build: Build) -> None:
    """The build's origin, then its steps in the workflow's order, earlier attempts below their step."""
    now = datetime.now(UTC)
    width = name_width(build, out.width)
    print_line(out, *heading(f"build {build.id}", origin(build)))
    for step in build.steps:
        print_line(out, step_line(step, width, now, plain=not out.is_terminal))
        for line in _earlier_attempts(client, step):
            print_line(out, Text(line, style="dim"))


def _earlier_attempts(client: ApiClient, step: StepRun) -> list[str]:
    if step.attempt == 1:
        return []
    earlier = [attempt for attempt in client.attempts(step.id) if attempt.number < step.attempt]
    return [
        f"    attempt {attempt.number}: {one_line(attempt.status)}"
        + (f" ({attempt.reason})" if attempt.reason else "")
        + (f" after {duration(attempt.elapsed_s)}" if attempt.elapsed_s is not None else "")
        + (f" on {one_line(attempt.runner)}" if attempt.runner else "")
        for attempt in earlier
    ]
