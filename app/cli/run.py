"""`buildserver run`: post a workflow file as a build, follow it, and exit as it ended."""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from app.cli.answers import Build
from app.cli.client import ApiClient
from app.cli.errors import ExitStatus
from app.cli.follow import follow
from app.cli.git_source import Source, find_source
from app.cli.options import account_option, connect, console, heading, json_option, print_line, server_option
from app.cli.outcome import command_line, print_outcome
from app.cli.progress import Progress
from app.cli.submit import submit
from app.cli.wording import one_line, origin, writable
from app.cli.workflow_file import read_workflow_file
from app.domain.limits import NAME_LENGTH


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.yml")
@click.option("--repo", metavar="PATH|URL", help="Repository to build; else the git checkout you are in, else none.")
@click.option("--branch", metavar="NAME", help="Branch to build; else the one that is checked out.")
@click.option("--commit", metavar="HASH", help="Commit to build; else the newest of the branch.")
@click.option("--project", metavar="NAME", help="Project the build belongs to; else the name of the repository.")
@account_option
@server_option
@json_option
def run(
    file: Path,
    repo: str | None,
    branch: str | None,
    commit: str | None,
    project: str | None,
    account: str,
    server: str | None,
    as_json: bool,
) -> ExitStatus:
    """Run a workflow file and follow its build.

    Exits 0 when the build succeeds and 1 when it fails. Ctrl-C stops following; the build goes on.
    """
    client, settings = connect(server)
    workflow = read_workflow_file(file, settings)
    source = find_source(repo, branch, commit, Path.cwd())
    name = writable(project or (source.name if source else Path.cwd().name or "root"))
    build = submit(client, workflow, account, name[:NAME_LENGTH], source)
    out = console(to_stderr=as_json)
    print_heading(out, build, f"{name} / {workflow.name}", source)
    return watch(out, client, build, settings.api_url, as_json)


def print_heading(out: Console, build: Build, title: str, source: Source | None) -> None:
    print_line(out, *heading(one_line(title), origin(build)))
    print_line(out, Text(f"build {build.id}", style="dim"))
    if note := _note(source):
        out.print(Text(note, style="yellow"), soft_wrap=True)


def _note(source: Source | None) -> str:
    """What a person may not expect of where the build comes from."""
    if source is None:
        return "no git repository here: the steps start in empty folders; --repo names one to build"
    if source.uncommitted:
        return "uncommitted changes are not part of the build: it is made from the commit"
    return ""


def watch(out: Console, client: ApiClient, build: Build, default_server: str, as_json: bool = False) -> ExitStatus:
    """Follow the build and print how it ended; on Ctrl-C, say how to look at it later."""
    try:
        finished = follow(client, build.id, Progress(out))
    except KeyboardInterrupt:
        command = command_line(client, default_server, "show", build.id)
        out.print(Text(f"\nno longer following; the build goes on: {command}"), soft_wrap=True)
        return ExitStatus.INTERRUPTED
    if as_json:
        click.echo(json.dumps(client.build_json(build.id), indent=2))
    return print_outcome(out, client, finished, default_server)
