"""Opens files of the work folder, which a step may have replaced by anything: what is no plain file is an OSError."""

import errno
import os
import stat
from pathlib import Path

LARGEST_BYTES = 1024 * 1024
"""Of a file that is read whole: notes and reports are far smaller."""


def open_plain(path: Path) -> int:
    """A descriptor to read from. Neither follows a link nor waits at a pipe for somebody to write."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    return descriptor


def plain_size(path: Path) -> int:
    """How long it is, in bytes; 0 where there is no plain file."""
    try:
        found = path.lstat()
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def read_plain(path: Path) -> bytes:
    """All of it, or an OSError if it is too large for what it should be."""
    with os.fdopen(open_plain(path), "rb") as file:
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise OSError(errno.EFBIG, "too large", str(path))
    return content
