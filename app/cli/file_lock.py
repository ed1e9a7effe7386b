"""A lock on an open file. It ends with the last process that holds the file open, however that ends."""

import fcntl
from typing import IO


def try_lock(lock: IO[str]) -> bool:
    """Take the lock if nobody has it; whether it was taken. It does not wait."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
