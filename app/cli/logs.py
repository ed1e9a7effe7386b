"""`buildserver logs`: what a build's steps printed."""

import sys

import click

from app.cli.answers import Build, StepRun
from app.cli.errors import ExitStatus, UsageFault
from app.cli.field_readers import did_you_mean
from app.cli.find_build import whole_id
from app.cli.options import connect, server_option
from app.cli.wording import one_line, printable


@click.command()
@click.argument("build_id", metavar="BUILD")
@click.argument("step", required=False)
@server_option
def logs(build_id: str, step: str | None, server: str | None) -> ExitStatus:
    """Print what the steps of a build printed.

    BUILD is the build's id or the beginning of it, STEP a step's name; without it, all steps one after another.

    Into a pipe or a file the bytes go as they were printed; on a terminal control sequences are left out.
    """
    client, _ = connect(server)
    build = client.build(whole_id(client, build_id))
    if step is not None:
        _write(client.step_log(_find(build, step).id))
        return ExitStatus.OK
    for run in build.steps:
        log = client.step_log(run.id)
        if log:
            _write(f"── {one_line(run.name)}\n".encode())
            _write(log if log.endswith(b"\n") else log + b"\n")
    return ExitStatus.OK


def _find(build: Build, wanted: str) -> StepRun:
    """The step run with that name or id."""
    for step in build.steps:
        if wanted in (step.name, step.id):
            return step
    raise UsageFault(f"the build has no step {wanted!r}{did_you_mean(wanted, [step.name for step in build.steps])}")


def _write(log: bytes) -> None:
    if sys.stdout.isatty():
        click.echo(printable(log.decode(errors="replace")), nl=False)
    else:
        sys.stdout.buffer.write(log)
        sys.stdout.flush()
