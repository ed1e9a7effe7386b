"""Sends what the server lacks of a log whose attempt has ended, from the file that is left of it."""

import os
from pathlib import Path

from worker.api import ApiClient, ApiError, Unreachable
from worker.log_stream import CHUNK_BYTES
from worker.plain_file import open_plain


def send_rest(client: ApiClient, step_id: str, attempt: int, path: Path, size_bytes: int) -> bool:
    """Whether the server has all `size_bytes` of the log at the end; not where it takes no more, or the file is short.

    Raises Unreachable where the server does not answer: then the same call may succeed later.
    """
    try:
        file = open_plain(path)
    except OSError:
        return False
    try:
        return _send(client, step_id, attempt, file, size_bytes)
    except Unreachable:
        raise
    except (ApiError, OSError):
        return False
    finally:
        os.close(file)


def _send(client: ApiClient, step_id: str, attempt: int, file: int, size_bytes: int) -> bool:
    """The first, empty piece asks how much the server has."""
    content = b""
    end = client.append_log(step_id, attempt, 0, content)
    while end < size_bytes:
        content = os.pread(file, min(CHUNK_BYTES, size_bytes - end), end)
        before, end = end, client.append_log(step_id, attempt, end, content)
        if end <= before:
            return False
    return True
