"""What a running system tells the terminal by itself: builds that begin and end, warnings, errors, and restarts.

Builds come from the audit log, the rest from the programs' logs as they grow. Everything else stays in the logs.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from app.cli.build_feed import BuildFeed
from app.cli.client import ApiClient
from app.cli.errors import StartupFailed
from app.cli.log_tail import LogTail
from app.cli.options import print_line
from app.cli.system import System
from app.cli.wording import one_line

POLL_S = 1.0
LEVEL_STYLES = {"warning": "yellow", "error": "red", "critical": "bold red"}


def watch_until_stopped(system: System, out: Console) -> None:
    """Surface what happens until Ctrl-C or SIGTERM. Raises StartupFailed if the supervisor itself ends."""
    logs = system.plan.directory.logs
    names = [*(program.name for program in system.programs()), "supervisord"]
    tails = {name: LogTail(logs / f"{name}.log") for name in names}
    feed = BuildFeed(ApiClient(system.plan.url))
    try:
        while system.alive():
            for text in counted([text for name, tail in tails.items() for text in _news(name, tail)]):
                print_timed(out, text)
            for news in feed.news():
                print_timed(out, Text(news))
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        return
    raise StartupFailed(f"the supervisor ended; its log is {logs / 'supervisord.log'}")


def _news(name: str, tail: LogTail) -> Iterator[Text]:
    return (text for line in tail.new_lines() for text in surfaced(name, line))


def counted(news: list[Text]) -> list[Text]:
    """Each text once, and how often it came: while a disk is full, every request complains of it."""
    times = Counter(text.plain for text in news)
    once = {text.plain: text for text in news}.values()
    return [text.append(f" ({times[text.plain]} times)") if times[text.plain] > 1 else text for text in once]


def print_timed(out: Console, text: Text) -> None:
    print_line(out, Text(f"{datetime.now(UTC).astimezone():%H:%M:%S}", style="dim"), text)


def surfaced(program: str, line: str) -> Iterator[Text]:
    """What a person should see of one log line; mostly nothing. Flower warns of every worker that is busy."""
    if program == "supervisord":
        yield from _restarts(line)
        return
    entry = _entry(line)
    level = entry.get("level", "")
    if level in LEVEL_STYLES and not (program == "flower" and level == "warning"):
        yield Text(f"{program}: {one_line(str(entry.get('event', '')))}", style=LEVEL_STYLES[level])


def _restarts(line: str) -> Iterator[Text]:
    name, _, how = line.partition(" exited: ")[2].partition(" ")
    if name:
        yield Text(f"{name} ended {how.strip()} and is started again", style="yellow")


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
