"""`buildserver validate`: is this workflow file right, and if not, where is it wrong."""

from pathlib import Path

import click

from app.cli.errors import ExitStatus
from app.cli.workflow_file import read_workflow_file
from app.cli.yaml_nodes import FileFaults
from config.settings import load_settings


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE.yml...")
def validate(files: tuple[Path, ...]) -> ExitStatus:
    """Check workflow files, without a server.

    Stricter than the server: unknown fields are faults too. Prints one line per fault,
    `file:line:column: field: message`, and exits 2 when there is one.
    """
    settings = load_settings()
    status = ExitStatus.OK
    for path in files:
        try:
            workflow = read_workflow_file(path, settings)
        except FileFaults as error:
            click.echo(str(error))
            status = ExitStatus.USAGE
        else:
            steps = "1 step" if len(workflow.steps) == 1 else f"{len(workflow.steps)} steps"
            click.echo(f"{path}: fine: workflow {workflow.name!r}, {steps}")
    return status
