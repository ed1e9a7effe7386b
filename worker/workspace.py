"""An attempt's folders: a workspace, a home and a place for temporary files; nobody else may look inside.

The process that uses them holds a lock on their root, so that another one can tell folders in use from those that a
runner left behind when it was killed. Several runners may share a work folder.
"""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_IN_USE, _LEFT = "attempt-", "left-"


@dataclass(frozen=True)
class Workspace:
    """Where the attempt works, and everything of the environment that its programs are given; `mark` is this one's."""

    folder: Path
    environ: Mapping[str, str]
    mark: str
    log: Path
    program: Path


@contextmanager
def workspace(work_dir: Path, path: str | None, remove: Callable[[Path], None]) -> Iterator[Workspace]:
    """Fresh folders below `work_dir`, afterwards set aside for `remove`; `path` is the runner's own."""
    work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(work_dir):
        root = Path(tempfile.mkdtemp(prefix=_IN_USE, dir=work_dir))
        in_use = os.open(root, os.O_RDONLY)
        fcntl.flock(in_use, fcntl.LOCK_EX)
    try:
        yield _furnish(root, path)
    finally:
        left = _set_aside(root)
        os.close(in_use)
        if left:
            remove(left)


def left_behind(work_dir: Path) -> list[Path]:
    """The folders of runners that are dead, set aside, and those that were before and are not removed yet."""
    if not work_dir.exists():
        return []
    with _alone(work_dir):
        for root in work_dir.glob(f"{_IN_USE}*"):
            if _is_free(root):
                _set_aside(root)
    return list(work_dir.glob(f"{_LEFT}*"))


def mark_of(left: Path) -> str:
    """The mark of the attempt whose folders these are."""
    return left.name.replace(_LEFT, _IN_USE, 1)


def steps_path(path: str | None) -> str:
    """The runner's PATH without its relative parts: a step's own folder is no place to look for `git`."""
    places = [place for place in (path or "").split(os.pathsep) if Path(place).is_absolute()]
    return os.pathsep.join(places) or PATH


def _furnish(root: Path, path: str | None) -> Workspace:
    folders = {name: root / name for name in ("workspace", "home", "tmp")}
    for folder in folders.values():
        folder.mkdir(mode=0o700)
    homes = {"HOME": str(folders["home"]), "TMPDIR": str(folders["tmp"])}
    environ = {"PATH": steps_path(path), **homes, "LANG": "C.UTF-8"}
    return Workspace(folders["workspace"], environ, root.name, root / "log", root / "program")


@contextmanager
def _alone(work_dir: Path) -> Iterator[None]:
    """One runner at a time makes folders here or looks for left ones; both take no time."""
    with (work_dir / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_free(root: Path) -> bool:
    try:
        descriptor = os.open(root, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _set_aside(root: Path) -> Path | None:
    """The name says that nobody works there any more; None where a step has seen to it that it cannot be given."""
    try:
        return root.rename(root.with_name(root.name.replace(_IN_USE, _LEFT, 1)))
    except OSError:
        return None
