"""The clock by which leases and limits are kept on this machine; never the time of day, which jumps.

Absolute readings may be compared between processes of one machine, so a deadline that was computed before a process
was stopped still means the same moment when it goes on.
"""

import time

# Linux' CLOCK_MONOTONIC stands still while a machine sleeps, the server's lease does not.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    return time.clock_gettime(_CLOCK)
