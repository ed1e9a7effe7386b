"""`buildserver builds`: the newest builds, of one project or of all."""

import json
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.answers import Build, Project
from app.cli.client import ApiClient
from app.cli.errors import ExitStatus, UsageFault
from app.cli.field_readers import did_you_mean
from app.cli.options import connect, console, json_option, server_option
from app.cli.submit import LOCAL_ACCOUNT
from app.cli.wording import age, duration, one_line, origin
from app.domain.vocabulary import BuildStatus

STATUS_STYLES: dict[str, str] = {
    BuildStatus.PENDING: "yellow",
    BuildStatus.RUNNING: "cyan",
    BuildStatus.SUCCESS: "green",
    BuildStatus.FAILED: "bold red",
}


@click.command()
@click.option("--project", metavar="NAME|ID", help="Only builds of this project.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, newest first.")
@server_option
@json_option
def builds(project: str | None, limit: int, server: str | None, as_json: bool) -> ExitStatus:
    """List builds, newest first."""
    client, _ = connect(server)
    projects = {found.id: found for found in _wanted_projects(client, project)}
    found = [build for project_id in projects for build in client.builds_json(project_id, limit)]
    newest = sorted(found, key=lambda build: (build["createdAt"], build["id"]), reverse=True)[:limit]
    if as_json:
        click.echo(json.dumps(newest, indent=2))
    else:
        print_builds(console(), [Build.from_json(build) for build in newest], projects)
    return ExitStatus.OK


def print_builds(out: Console, found: list[Build], projects: dict[str, Project]) -> None:
    """A table on a terminal, tab-separated lines without headings elsewhere."""
    now = datetime.now(UTC)
    if not found:
        out.print(Text("no builds yet: make one with `buildserver run FILE.yml`", style="dim"), soft_wrap=True)
    elif out.is_terminal:
        out.print(_table(found, projects, now))
    else:
        for build in found:
            click.echo("\t".join(_cells(build, projects, now)))


def _table(found: list[Build], projects: dict[str, Project], now: datetime) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("build", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("took", no_wrap=True)
    table.add_column("when", no_wrap=True)
    table.add_column("project", no_wrap=True, overflow="ellipsis", max_width=24)
    table.add_column("source", no_wrap=True, overflow="ellipsis", ratio=1)
    for build in found:
        identifier, status, *others = _cells(build, projects, now)
        table.add_row(identifier, Text(status, style=STATUS_STYLES.get(status, "default")), *others)
    return table


def _cells(build: Build, projects: dict[str, Project], now: datetime) -> list[str]:
    elapsed_s = build.elapsed_s(now)
    return [
        build.id,
        build.status,
        duration(elapsed_s) if elapsed_s is not None else "",
        age(build.created_at, now),
        one_line(projects[build.project_id].name),
        origin(build),
    ]


def _wanted_projects(client: ApiClient, wanted: str | None) -> list[Project]:
    projects = client.projects(LOCAL_ACCOUNT)
    if wanted is None:
        return projects
    found = [project for project in projects if wanted in (project.name, project.id)]
    if not found:
        raise UsageFault(f"there is no project {wanted!r}{did_you_mean(wanted, [p.name for p in projects])}")
    return found
