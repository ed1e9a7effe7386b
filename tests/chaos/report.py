"""A storm's verdict, and the sum of many, as people read them."""

from collections.abc import Iterable

from tests.chaos.figures import MEANING, Figures, spread
from tests.chaos.invariants import JUDGED, UNJUDGED
from tests.chaos.storm import Fault
from tests.chaos.verdict import Verdict

TOTALLED = (Fault.KILL, Fault.REDIS_RESTART, Fault.DATABASE_RESTART)
"""The faults that a release counts."""
SHOWN = 10
LABEL_WIDTH = max(map(len, MEANING.values())) + 2


def told(verdict: Verdict) -> str:
    """One storm."""
    order = verdict.order
    database = "PostgreSQL" if order.on_postgresql else "SQLite"
    times = "" if order.kills == 1 else f", {order.kills} times the kills"
    times += "" if order.calm == 1 else f", {order.calm:g} times as long between faults"
    lasts = f"{order.seconds:g} s of faults" if order.most_open is None else f"at most {order.most_open} open at once"
    first = f"storm {order.seed}: {order.builds} builds, {database}, {lasts}{times}"
    files = [f"  logs and ledger are in {verdict.files}"] if verdict.files else []
    return "\n".join([first, *_body(verdict), *files])


def told_sum(storms: int, with_control: int, total: Verdict) -> str:
    """Many storms as one; the control's figures are of the storms that it was in."""
    totals = ", ".join(f"{total.faults.get(fault.value, 0)} × {fault.value}" for fault in TOTALLED)
    return "\n".join([f"{storms} storms, {with_control} of them on plain Celery too: {totals}", *_body(total)])


def _body(verdict: Verdict) -> Iterable[str]:
    yield f"  faults    {sum(verdict.faults.values())}: {counted(verdict.faults)}"
    yield f"  restarts  {counted(verdict.restarts)}"
    yield f"  attempts  {verdict.attempts}, the last build ended {verdict.open_after_s} s after the last fault"
    yield from _of_recoveries(verdict)
    if verdict.control:
        yield f"  control   {sum(verdict.control_faults.values())} faults: {counted(verdict.control_faults)}"
    yield from _compared(verdict.ours, verdict.control)
    yield from _of_invariants(verdict.wrong)


def _of_recoveries(verdict: Verdict) -> Iterable[str]:
    yield f"  recovery  {len(verdict.claimed_s)} attempts lost by the kill of their runner; from there"
    for what, values in (("could start", verdict.released_s), ("was claimed", verdict.claimed_s)):
        shares = ", ".join(f"{name} {value:.1f} s" for name, value in spread(values).items())
        yield f"            until the next one {what}: {shares}"


def _compared(ours: Figures, control: Figures | None) -> Iterable[str]:
    """Line by line what became of the steps, beside the control's where there is one."""
    yield f"  {'':{LABEL_WIDTH}}{'ours':>8}" + (f"{'plain Celery':>14}" if control else "")
    for name, meaning in MEANING.items():
        beside = f"{getattr(control, name):>14}" if control else ""
        yield f"  {meaning:{LABEL_WIDTH}}{getattr(ours, name):>8}{beside}"


def _of_invariants(wrong: dict[str, list[str]]) -> Iterable[str]:
    for invariant in JUDGED:
        wrongs = wrong.get(invariant, [])
        yield f"  {'BROKEN' if wrongs else 'holds '}  {invariant}"
        yield from (f"            {each}" for each in wrongs[:SHOWN])
        if len(wrongs) > SHOWN:
            yield f"            and {len(wrongs) - SHOWN} more, which --json has"
    yield from (f"  not judged: {invariant}, as {why}" for invariant, why in UNJUDGED.items())


def counted(counts: dict[str, int]) -> str:
    """What there is most of first."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda each: -each[1])) or "none"
