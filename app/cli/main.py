"""The `buildserver` command: its subcommands, and the one place where errors become a line and an exit status."""

import io
import os
import sys
from collections.abc import Sequence

import click

from app.cli.builds import builds
from app.cli.demo import demo
from app.cli.errors import CommandError, ExitStatus
from app.cli.logs import logs
from app.cli.run import run
from app.cli.show import show
from app.cli.up import up
from app.cli.validate import validate
from config.settings import SettingsError

STATUSES = """
Exit status: 0 fine, the build succeeded · 1 the build failed · 2 the command line, the workflow file or this machine is
not as it must be · 3 the server cannot be reached, refused or did not start · 130 interrupted
"""


@click.group(epilog=STATUSES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="buildserver", message="%(prog)s %(version)s")
def cli() -> None:
    """Build Server: runs the steps of your workflows, in the order that their dependencies allow.

    Start one with `up`, see it work with `demo`, run your own workflow with `run FILE.yml`.
    """


for command in (up, demo, run, validate, builds, show, logs):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    _print_any_character()
    try:
        return _run(arguments)
    except SystemExit as end:  # how click and rich both end where the reader of a pipe has left
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        _drop_output()
        return ExitStatus.OK
    except OSError as error:
        click.echo(f"buildserver: {error.filename or 'output'}: {error.strerror or error}", err=True)
        _drop_output()
        return ExitStatus.USAGE


def _run(arguments: Sequence[str] | None) -> int:
    try:
        status = cli.main(args=arguments, prog_name="buildserver", standalone_mode=False)
        sys.stdout.flush()
    except CommandError as error:
        click.echo(f"{error.prefix}{error}", err=True)
        return error.exit_status
    except SettingsError as error:
        click.echo(f"buildserver: {error}", err=True)
        return ExitStatus.USAGE
    except click.ClickException as error:
        error.show()
        return ExitStatus.USAGE
    except (click.Abort, KeyboardInterrupt):
        return ExitStatus.INTERRUPTED
    return status if isinstance(status, int) else ExitStatus.OK


def _print_any_character() -> None:
    """What the terminal's encoding lacks is replaced: a name in a log must not end the command."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _drop_output() -> None:
    """Lead what is still unwritten nowhere, else Python complains again as it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
