"""A build's progress at the terminal: one line per step as it settles and, on a terminal, the running steps below.

Settled lines are printed once and stay, so a build of any size reads the same in a scrollback, a pipe and a CI log;
only the few lines of what is running now are ever redrawn.
"""

from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from app.cli.answers import Build, StepRun
from app.cli.options import print_line
from app.cli.wording import GLYPHS, STYLES, cropped, duration, one_line, waiting, why
from app.domain.vocabulary import StepStatus

NAME_WIDTH = 40
BESIDE_NAME = 36  # glyph, duration and reason, beside the name on a narrow terminal
LIVE_LINES_SPARED = 6
STATUS_WIDTH = max(len(status) for status in StepStatus)
DURATION_WIDTH = len("59 min 59 s")


class Progress:
    """Shows a build again and again as it goes on; a context manager, as the live part needs an end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._settled: set[str] = set()
        self._pools_told: set[str] = set()
        self._live = Live(console=console, transient=True, refresh_per_second=8) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, build: Build, now: datetime) -> None:
        """Print the steps that have settled since the last call, and redraw what is running."""
        width = name_width(build, self._console.width)
        if self._live:  # before the settled lines, which would else stand above the same steps still running
            self._live.update(self._running(build, width, now))
        fresh = [step for step in build.steps if step.final and step.id not in self._settled]
        for step in sorted(fresh, key=lambda step: step.finished_at or now):
            self._settled.add(step.id)
            print_line(self._console, step_line(step, width, now, plain=not self._console.is_terminal))
        for pool, text in waiting(build, now).items():
            if pool not in self._pools_told:
                self._pools_told.add(pool)
                self.note(text)
        if self._live:
            self._live.refresh()

    def note(self, text: str) -> None:
        self._console.print(Text(text, style="yellow"), soft_wrap=True)

    def _running(self, build: Build, width: int, now: datetime) -> RenderableType:
        running = [step for step in build.steps if step.status == StepStatus.RUNNING]
        shown = running[: max(1, self._console.height - LIVE_LINES_SPARED)]
        rows = Table.grid(padding=(0, 1))
        rows.add_column(no_wrap=True)
        rows.add_column(no_wrap=True, overflow="ellipsis")
        for step in shown:
            rows.add_row(Spinner("dots", style="cyan"), step_text(step, cropped(step.name, width), width, now))
        below = Text(standing(build, len(running) - len(shown), now), style="dim", no_wrap=True, overflow="ellipsis")
        return Group(rows, below)


def step_line(step: StepRun, width: int, now: datetime, plain: bool) -> Text:
    """One settled step: a glyph and colour on a terminal, the status word where the output is plain."""
    if plain:
        return Text(f"{step.status:<{STATUS_WIDTH}}  {step_text(step, one_line(step.name), width, now)}".rstrip())
    line = Text(f"{GLYPHS.get(step.status, '?')} ", style=STYLES.get(step.status, "default"))
    line.append_text(step_text(step, cropped(step.name, width), width, now))
    line.rstrip()
    return line


def step_text(step: StepRun, name: str, width: int, now: datetime) -> Text:
    """Name, duration and reason, in columns."""
    elapsed_s = step.elapsed_s(now)
    took = "" if elapsed_s is None else duration(elapsed_s)
    line = Text(f"{name:<{width}}", style="default")
    line.append(f"  {took:>{DURATION_WIDTH}}", style="dim")
    line.append(f"  {why(step)}", style="dim")
    return line


def name_width(build: Build, console_width: int) -> int:
    """The width of the name column: that of the longest name, as far as the terminal has room."""
    longest = max((len(one_line(step.name)) for step in build.steps), default=0)
    return min(longest, NAME_WIDTH, max(8, console_width - BESIDE_NAME))


def standing(build: Build, hidden: int, now: datetime) -> str:
    """Where the build stands, in one line: how much is done, what waits, and for how long it has been going."""
    done = sum(step.final for step in build.steps)
    pauses_s = [step.pause_s(now) for step in build.steps if step.status == StepStatus.READY]
    resting_s = [pause_s for pause_s in pauses_s if pause_s]
    waiting = len(pauses_s) - len(resting_s)
    elapsed_s = build.elapsed_s(now)
    parts = [
        f"{hidden} more running" if hidden else "",
        f"{done} of {len(build.steps)} steps done",
        f"{waiting} waiting for a runner" if waiting else "",
        f"{len(resting_s)} to be tried again in {duration(max(resting_s))}" if resting_s else "",
        duration(elapsed_s) if elapsed_s is not None else "",
    ]
    return "  " + " · ".join(part for part in parts if part)
