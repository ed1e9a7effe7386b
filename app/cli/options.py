"""Options that several commands share, and the console that they print to."""

import sys
from collections.abc import Callable
from typing import IO, Any, cast

import click
from rich.console import Console
from rich.text import Text

from app.cli.client import ApiClient
from app.cli.patient_output import PatientOutput
from config.settings import Settings, load_settings

Command = Callable[..., Any]
LOCAL_ACCOUNT = "local"
"""The account of what is made here unless another one is asked for, as the contract has accounts but no login."""


def server_option(command: Command) -> Command:
    text = "Address of the server; else BUILDSERVER_API_URL, else http://127.0.0.1:3000."
    return click.option("--server", metavar="URL", help=text)(command)


def account_option(command: Command) -> Command:
    text = "Account that the project belongs to."
    return click.option("--account", metavar="ID", default=LOCAL_ACCOUNT, show_default=True, help=text)(command)


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs, on stdout.")(command)


def connect(server: str | None) -> tuple[ApiClient, Settings]:
    """The client for the server that was asked for, and the settings that say which one is the default."""
    settings = load_settings()
    return ApiClient(server or settings.api_url), settings


def print_line(out: Console, *parts: Text) -> None:
    """One line: on a terminal what does not fit is cropped, elsewhere the line is as long as it is."""
    line = Text("  ").join(parts)
    line.rstrip()
    if out.is_terminal:
        out.print(line, no_wrap=True, overflow="ellipsis")
    else:
        out.print(line, soft_wrap=True)


def heading(title: str, beside: str) -> list[Text]:
    """A bold title, and beside it what is less important."""
    return [Text(title, style="bold"), *([Text(beside, style="dim")] if beside else [])]


def console(to_stderr: bool = False) -> Console:
    """Colours, cursor and width of a terminal where there is one, plain lines elsewhere."""
    return _console_on(sys.stderr if to_stderr else sys.stdout)


def patient_console() -> Console:
    """The same for a command that must not end because its output has no room."""
    return _console_on(cast(IO[str], PatientOutput(sys.stdout)))


def _console_on(stream: IO[str]) -> Console:
    return Console(file=stream, highlight=False, markup=False, emoji=False)
