"""What the steps wrote themselves: the only witness that neither the server nor its database can mislead."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Line:
    """One event of an attempt, by the clock of the machine, in seconds."""

    event: str
    step: str
    attempt: int
    at: float


@dataclass(frozen=True)
class Life:
    """An attempt as its processes saw it: every start, the last sign of life, and whether it came to its end."""

    step: str
    attempt: int
    starts: tuple[float, ...]
    last: float
    ended: bool


def read(folder: Path, build: str) -> list[Line]:
    """A build's lines in the order in which they were written; none where no step ever started."""
    path = folder / build
    return list(_lines(path.read_text())) if path.exists() else []


def lives(lines: list[Line]) -> dict[tuple[str, int], Life]:
    """The lines by attempt."""
    found: dict[tuple[str, int], list[Line]] = {}
    for line in lines:
        found.setdefault((line.step, line.attempt), []).append(line)
    return {
        key: Life(
            *key,
            starts=tuple(line.at for line in group if line.event == "start"),
            last=max(line.at for line in group),
            ended=any(line.event == "end" for line in group),
        )
        for key, group in found.items()
    }


def _lines(text: str) -> Iterator[Line]:
    for line in text.splitlines():
        event, step, attempt, at = line.split()
        yield Line(event, step, int(attempt), float(at))
