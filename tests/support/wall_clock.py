"""Programs whose wall clock is wrong, or jumps: with libfaketime, which is loaded before them. Durations stay right."""

import importlib.util
import shutil
from pathlib import Path

LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"
SHARED = Path("/dev/shm")


class WallClock:
    """The clock of the programs that are started with its `environ`; it goes right until it is told otherwise."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._offset = folder, folder / "offset"
        library = folder / "libfaketime.so.1"
        shutil.copyfile(_library(), library)  # where every user's programs may read it
        self.environ = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        self.put(0)

    def put(self, seconds: int) -> None:
        """From now on it is so many seconds fast, or slow; a program that runs sees it jump."""
        new = self._offset.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        new.rename(self._offset)

    def remove(self) -> None:
        """When its programs have ended: also what the library keeps in memory for each, and killed ones leave there."""
        shutil.rmtree(self._folder)
        for kept in SHARED.glob("*faketime_*"):
            if not Path(f"/proc/{kept.name.rpartition('_')[2]}").exists():
                kept.unlink(missing_ok=True)


def _library() -> Path:
    wheel = importlib.util.find_spec("libfaketime")
    assert wheel is not None and wheel.origin is not None, "requirements-test.lock is not installed"
    return Path(wheel.origin).parent / LIBRARY
