"""`buildserver builds`: the newest builds, of one project or of all."""

import json
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.text import Text

from app.cli.answers import Build, Project
from app.cli.client import ApiClient
from app.cli.errors import ExitStatus, UsageFault
from app.cli.field_readers import did_you_mean
from app.cli.options import account_option, connect, console, json_option, print_line, server_option
from app.cli.wording import SHORT_BUILD, age, cropped, duration, origin
from app.domain.vocabulary import BuildStatus

PROJECT_WIDTH = 18  # with the columns before it, leaves the commit some room in 80
HEADING = ["BUILD", "STATUS", "TOOK", "CREATED", "PROJECT", "COMMIT"]
STATUS = 1  # the column
STATUS_STYLES: dict[str, str] = {
    BuildStatus.PENDING: "yellow",
    BuildStatus.RUNNING: "cyan",
    BuildStatus.SUCCESS: "green",
    BuildStatus.FAILED: "bold red",
}


@click.command()
@click.option("--project", metavar="NAME|ID", help="Only builds of this project.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, newest first.")
@account_option
@server_option
@json_option
def builds(project: str | None, limit: int, account: str, server: str | None, as_json: bool) -> ExitStatus:
    """List builds, newest first."""
    client, _ = connect(server)
    projects = {found.id: found for found in _wanted_projects(client, account, project)}
    found = [build for project_id in projects for build in client.builds_json(project_id, limit)]
    newest = sorted(found, key=lambda build: (build["createdAt"], build["id"]), reverse=True)[:limit]
    if as_json:
        click.echo(json.dumps(newest, indent=2))
    else:
        print_builds(console(), [Build.from_json(build) for build in newest], projects)
    return ExitStatus.OK


def print_builds(out: Console, found: list[Build], projects: dict[str, Project]) -> None:
    """Aligned columns with a heading and short ids on a terminal; elsewhere tab-separated ones, and whole ids."""
    now = datetime.now(UTC)
    rows = [_cells(build, projects, now) for build in found]
    if not rows:
        out.print(Text("no builds yet: make one with `buildserver run FILE.yml`", style="dim"), soft_wrap=True)
    elif out.is_terminal:
        _print_table(out, rows)
    else:
        click.echo("\n".join("\t".join(row) for row in rows))


def _print_table(out: Console, rows: list[list[str]]) -> None:
    length = _distinct_length([row[0] for row in rows])
    shown = [[row[0][:length], *row[1:]] for row in rows]
    widths = [max(map(len, column)) for column in zip(HEADING, *shown, strict=True)]
    print_line(out, *(Text(f"{cell:<{width}}", style="dim") for cell, width in zip(HEADING, widths, strict=True)))
    for row in shown:
        cells = [Text(f"{cell:<{width}}") for cell, width in zip(row, widths, strict=True)]
        cells[STATUS].stylize(STATUS_STYLES.get(row[STATUS], "default"))
        print_line(out, *cells)


def _distinct_length(ids: list[str]) -> int:
    """How much of these ids tells them apart, but no less than a short id."""
    lengths = range(SHORT_BUILD, max(map(len, ids)) + 1)
    return next((length for length in lengths if len({each[:length] for each in ids}) == len(ids)), SHORT_BUILD)


def _cells(build: Build, projects: dict[str, Project], now: datetime) -> list[str]:
    elapsed_s = build.elapsed_s(now)
    return [
        build.id,
        build.status,
        duration(elapsed_s) if elapsed_s is not None else "",
        age(build.created_at, now),
        cropped(projects[build.project_id].name, PROJECT_WIDTH),
        origin(build),
    ]


def _wanted_projects(client: ApiClient, account: str, wanted: str | None) -> list[Project]:
    projects = client.projects(account)
    if wanted is None:
        return projects
    found = [project for project in projects if wanted in (project.name, project.id)]
    if not found:
        hint = did_you_mean(wanted, [each.name for each in projects]) or "; --account names another one"
        raise UsageFault(f"the account {account!r} has no project {wanted!r}{hint}")
    return found
