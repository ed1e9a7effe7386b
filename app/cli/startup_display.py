"""What the terminal shows while a system starts, and the few addresses it shows once that is done."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from app.cli.startup import Part
from app.cli.system import Plan


class StartupDisplay:
    """The parts with a spinner each that turns into the time it took; a line per part where there is no terminal."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._shown: set[str] = set()
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(console=out, transient=True, refresh_per_second=12) if out.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, parts: list[Part]) -> None:
        if self._live:
            self._live.update(self._rows(parts))
            return
        for part in parts:
            if part.ready_after_s is not None and part.name not in self._shown:
                self._shown.add(part.name)
                self._out.print(Text(f"{part.name} ready after {part.ready_after_s:.1f} s"), soft_wrap=True)

    def _rows(self, parts: list[Part]) -> Table:
        rows = Table.grid(padding=(0, 1))
        for part in parts:
            ready = part.ready_after_s is not None
            took = Text(f"{part.ready_after_s:.1f} s", style="dim") if ready else Text()
            rows.add_row("", Text("✓", style="green") if ready else self._spinner, part.name, took)
        return rows


def print_addresses(out: Console, plan: Plan, ready_after_s: float) -> None:
    """What runs where. Plain lines keep the same words, so that a script can look for them."""
    settings = plan.settings
    redis = "its own, in the data directory" if plan.redis_socket is not None else "the one of REDIS_URL"
    facts = {
        "API": plan.url,
        "API docs": f"{plan.url}/docs",
        "Flower": plan.flower_url,
        "Runner": f"{settings.runner_slots} steps at once, executor {settings.executor}, pool {settings.pool}",
        "Redis": redis,
        "Data": f"{settings.data_dir} (logs in {plan.directory.logs.name}/)",
    }
    out.print(Text("Build Server", style="bold"), Text(f"is ready after {ready_after_s:.1f} s", style="green"))
    for name, fact in facts.items():
        out.print(Text(f"  {name:<9}", style="dim"), Text(fact), soft_wrap=True)
