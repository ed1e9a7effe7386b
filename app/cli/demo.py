"""`buildserver demo`: the whole system, started on an empty folder, building a small real project before your eyes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from app.cli.addresses import free_port
from app.cli.client import ApiClient
from app.cli.demo_repository import WORKFLOW, make_repository
from app.cli.errors import ExitStatus
from app.cli.follow import follow
from app.cli.git_source import find_source
from app.cli.options import LOCAL_ACCOUNT, connect, patient_console
from app.cli.outcome import command_line, print_outcome
from app.cli.private_folder import private_folder
from app.cli.progress import Progress
from app.cli.run import print_heading
from app.cli.submit import submit
from app.cli.surfacing import watch_until_stopped
from app.cli.system import Plan
from app.cli.up import environment_with, interruptible, running_system
from app.cli.workflow_file import read_workflow_file
from config.settings import load_settings

PROJECT_NAME = "python-project"
FOREIGN = frozenset({"DATABASE_URL", "REDIS_URL", "BUILDSERVER_WORK_DIR", "BUILDSERVER_TRUST_NETWORK"})


@click.command()
@click.option("--exit", "leave", is_flag=True, help="Stop after the build, and exit as it ended.")
@click.option("--port", type=click.IntRange(1, 65_534), help="Port of the API; the next free one if it is taken.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Keep everything there; else it is removed at the end."
)
def demo(leave: bool, port: int | None, data_dir: Path | None) -> ExitStatus:
    """Start everything and build an example.

    A system of its own builds a small Python project while you watch, and stays for you to look around.

    Nothing has to be installed or running, and nothing of an `up` that runs is touched.
    """
    out = patient_console()
    with interruptible(out), _folder(data_dir) as folder:
        wanted = load_settings(environment_with({"BUILDSERVER_PORT": port}))
        chosen = free_port("127.0.0.1", wanted.port)
        if chosen != wanted.port:
            out.print(Text(f"port {wanted.port} is in use; the demo takes {chosen}", style="yellow"), soft_wrap=True)
        environ = own_environment(folder, chosen)
        with running_system(environ, load_settings(environ), out) as system:
            status = _build(system.plan, folder / "demo" / PROJECT_NAME, out)
            if leave:
                return status
            command = command_line(ApiClient(system.plan.url), load_settings().api_url, "builds")
            out.print(f"\nLook around: {command}\nCtrl-C stops the demo.", style="dim", soft_wrap=True)
            watch_until_stopped(system, out)
    return ExitStatus.OK


def own_environment(folder: Path, port: int) -> dict[str, str]:
    """The environment without what could lead to another system's database, queue or folders."""
    wishes = {"BUILDSERVER_DATA_DIR": folder, "BUILDSERVER_HOST": "127.0.0.1", "BUILDSERVER_PORT": port}
    inherited = environment_with(wishes)
    return {name: value for name, value in inherited.items() if name not in FOREIGN}


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        yield wanted.resolve()
        return
    with private_folder(Path(tempfile.gettempdir())) as folder:
        yield folder


def _build(plan: Plan, folder: Path, out: Console) -> ExitStatus:
    """Build the example project and show it, as `buildserver run` does."""
    client, settings = connect(plan.url)
    source = find_source(str(make_repository(folder)), None, None, folder)
    workflow = read_workflow_file(WORKFLOW, plan.settings)
    build = submit(client, workflow, LOCAL_ACCOUNT, PROJECT_NAME, source)
    out.print()
    print_heading(out, build, f"{PROJECT_NAME} / {workflow.name}", source)
    finished = follow(client, build.id, Progress(out))
    return print_outcome(out, client, finished, settings.api_url)
