"""What an attempt's log must be: what its script printed, up to the cap, and lines of the runner's own after it."""

import re

LIMIT_BYTES = 64 * 1024
"""The cap of the installation: some steps print more."""
ROOM_BYTES = 1024
"""Of the cap, what is kept for the runner's own lines."""
OWN_LINES = re.compile(r"\n?(» [^\n]*\n)*")
GAP = "» the end of the log is missing".encode()
"""What a report says that came without the rest of its log: it never has to."""


def fault(log: bytes, printed: bytes, is_whole: bool) -> str:
    """What is wrong with it; empty where nothing is. `is_whole`: the attempt came to its end, so all must be there."""
    kept = _common(log, printed)
    rest = log[kept:].decode(errors="replace")
    if not OWN_LINES.fullmatch(rest):
        return f"after {kept} right bytes the log goes on with {rest[:40]!r}"
    if is_whole and (kept < min(len(printed), LIMIT_BYTES - ROOM_BYTES) or GAP in log):
        return f"printed {len(printed)} bytes, the log has {kept} and ends with {log[-80:]!r}"
    return ""


def _common(log: bytes, printed: bytes) -> int:
    """How many bytes they begin with alike."""
    differing = (place for place, (one, other) in enumerate(zip(log, printed, strict=False)) if one != other)
    return next(differing, min(len(log), len(printed)))
