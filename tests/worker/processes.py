"""What runs on this machine on behalf of a test's runner."""

from pathlib import Path


def processes_of(folder: Path) -> list[str]:
    """Processes that have their home below the work folder."""
    mark = f"HOME={folder}".encode()
    return [each.name for each in Path("/proc").glob("[0-9]*") if mark in _environ(each)]


def _environ(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""
