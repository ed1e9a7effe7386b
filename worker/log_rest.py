"""Sends what the server lacks of a log whose attempt has ended, from the file that is left of it."""

import os
from collections.abc import Callable
from pathlib import Path

from worker.api import ApiClient, ApiError, Unreachable
from worker.log_stream import CHUNK_BYTES
from worker.plain_file import open_plain


def send_rest(
    client: ApiClient, step_id: str, attempt: int, path: Path, size_bytes: int, has_time: Callable[[], bool]
) -> bool:
    """Whether the server has all `size_bytes` of the log at the end; not where it takes no more, or the file is short.

    Where there is no time for it one piece is sent and no more, which is all of most logs. Raises Unreachable where the
    server does not answer: then the same call may succeed later.
    """
    try:
        file = open_plain(path)
    except OSError:
        return False
    try:
        return _send(client, step_id, attempt, file, size_bytes, has_time)
    except Unreachable:
        raise
    except (ApiError, OSError):
        return False
    finally:
        os.close(file)


def _send(
    client: ApiClient, step_id: str, attempt: int, file: int, size_bytes: int, has_time: Callable[[], bool]
) -> bool:
    """The first, empty piece asks how much the server has."""
    before, end = -1, client.append_log(step_id, attempt, 0, b"")
    while before < end < size_bytes and (before < 0 or has_time()):
        content = os.pread(file, min(CHUNK_BYTES, size_bytes - end), end)
        before, end = end, client.append_log(step_id, attempt, end, content)
    return end >= size_bytes
