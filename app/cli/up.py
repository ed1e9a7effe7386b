"""`buildserver up`: the whole system on this machine, in the foreground, until it is told to stop.

Starts from an empty machine: data directory, schema, Redis, API, orchestrator, runner and Flower. What the terminal
shows is short; everything else is in the data directory's logs.
"""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from app.cli.addresses import free_port, require_free
from app.cli.data_directory import SHORT, DataDirectory
from app.cli.embedded_redis import require_answer
from app.cli.errors import ExitStatus
from app.cli.options import patient_console
from app.cli.private_folder import remove_abandoned
from app.cli.startup import Startup
from app.cli.startup_display import StartupDisplay, print_addresses
from app.cli.surfacing import watch_until_stopped
from app.cli.system import System, make_plan, refuse_open_network
from config.settings import Settings, load_settings

FLOWER_OFFSET = 1


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65_534), help="Port of the API.  [default: 3000]")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where everything is kept.")
@click.option("--runners", type=click.IntRange(1, 256), help="How many steps run at once.  [default: 2]")
@click.option("--executor", type=click.Choice(["process"]), help="What a step runs in.  [default: process]")
def up(
    host: str | None, port: int | None, data_dir: Path | None, runners: int | None, executor: str | None
) -> ExitStatus:
    """Start the whole system on this machine.

    It runs in the foreground; Ctrl-C stops it.

    Redis is started too, unless REDIS_URL names one. Builds that were open when it stopped go on at the next start.
    """
    wishes = {
        "BUILDSERVER_HOST": host,
        "BUILDSERVER_PORT": port,
        "BUILDSERVER_DATA_DIR": data_dir,
        "BUILDSERVER_RUNNERS": runners,
        "BUILDSERVER_EXECUTOR": executor,
    }
    environ = environment_with(wishes)
    out = patient_console()
    with interruptible(out), running_system(environ, load_settings(environ), out) as system:
        out.print("\nCtrl-C stops it; builds that are open go on at the next start.", style="dim", soft_wrap=True)
        watch_until_stopped(system, out)
    return ExitStatus.OK


def environment_with(wishes: Mapping[str, object]) -> dict[str, str]:
    """This process's environment, with the command line's wishes in place of the variables they stand for."""
    given = {name: str(wish) for name, wish in wishes.items() if wish is not None}
    return {**os.environ, **given}


@contextmanager
def running_system(environ: Mapping[str, str], settings: Settings, out: Console) -> Iterator[System]:
    """A system that is ready, and is stopped at the end, however the end comes."""
    began = time.monotonic()
    refuse_open_network(settings)
    for parent in {SHORT, Path(tempfile.gettempdir())}:
        remove_abandoned(parent)
    with DataDirectory(settings.data_dir).claimed() as lock:
        require_free(settings.host, settings.port)
        with DataDirectory(settings.data_dir).socket_folder() as sockets:
            plan = make_plan(environ, free_port("127.0.0.1", settings.port + FLOWER_OFFSET), sockets)
            if plan.redis_socket is None:
                require_answer(plan.settings.redis_url)
            startup = Startup(plan, began)
            with System(plan, lock) as system, stopped_aloud(system, out):
                with StartupDisplay(out) as display:
                    ready_after_s = startup.bring_up(system, display.show)
                print_addresses(out, plan, ready_after_s)
                yield system


@contextmanager
def stopped_aloud(system: System, out: Console) -> Iterator[None]:
    """Stop the system at the end, and say so. Nobody can interrupt that: it is over in seconds, or they are killed."""
    said_at_the_end = True
    try:
        yield
    except KeyboardInterrupt:
        said_at_the_end = False  # `interruptible` says it
        raise
    finally:
        if system.alive():
            _heed(signal.SIG_IGN)
            out.print("stopping …")
            system.stop()
            if said_at_the_end:
                out.print("stopped")


@contextmanager
def interruptible(out: Console) -> Iterator[None]:
    """SIGTERM and a closed terminal stop the command as Ctrl-C does, and Ctrl-C does so where a shell ignores it."""
    _heed(signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        out.print("stopped")
        raise click.exceptions.Exit(ExitStatus.INTERRUPTED) from None


def _heed(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)
