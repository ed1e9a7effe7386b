"""An attempt's folders: a workspace, a home and a place for temporary files; nobody else may look inside.

The process that uses them holds a lock on their root, so that another one can tell folders in use from those that a
runner left behind when it was killed; a note there says which attempt they belong to. Several runners may share a work
folder.
"""

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID

from worker.json_object import json_object
from worker.plain_file import read_plain

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_IN_USE, _LEFT = "attempt-", "left-"
_NOTE, _LOG = "held.json", "log"
MAX_ATTEMPT = 1_000_000
"""More than any step run has; what a step may have written into the note is used for a file's name."""


@dataclass(frozen=True)
class Held:
    """An attempt that a runner holds: of which step run, and its number."""

    step_id: str
    attempt: int


@dataclass(frozen=True)
class Left:
    """Folders to remove. `held` is the attempt whose runner died over it; none where it was done with them."""

    folder: Path
    held: Held | None = None

    @property
    def mark(self) -> str:
        """The mark of the attempt's processes."""
        return self.folder.name.replace(_LEFT, _IN_USE, 1)

    @property
    def log(self) -> Path:
        """What the attempt had printed."""
        return self.folder / _LOG


@dataclass(frozen=True)
class Workspace:
    """Where the attempt works, and everything of the environment that its programs are given; `mark` is this one's."""

    folder: Path
    environ: Mapping[str, str]
    mark: str
    log: Path
    program: Path


@contextmanager
def workspace(work_dir: Path, held: Held, path: str | None, remove: Callable[[Path], None]) -> Iterator[Workspace]:
    """Fresh folders below `work_dir`, afterwards set aside for `remove`; `path` is the runner's own."""
    work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(work_dir):
        root = Path(tempfile.mkdtemp(prefix=_IN_USE, dir=work_dir))
        in_use = os.open(root, os.O_RDONLY)
        fcntl.flock(in_use, fcntl.LOCK_EX)
    try:
        (root / _NOTE).write_text(json.dumps(asdict(held)))
        yield _furnish(root, path)
    finally:
        left = _set_aside(root)
        os.close(in_use)
        if left:
            remove(left)


def left_behind(work_dir: Path) -> list[Left]:
    """The folders of runners that are dead, set aside, and those that were before and are not removed yet."""
    if not work_dir.exists():
        return []
    left = [Left(folder) for folder in work_dir.glob(f"{_LEFT}*")]
    with _alone(work_dir):
        for root in work_dir.glob(f"{_IN_USE}*"):
            if _is_free(root) and (folder := _set_aside(root)):
                left.append(Left(folder, _held(folder)))
    return left


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
    return Workspace(folders["workspace"], environ, root.name, root / _LOG, root / "program")


@contextmanager
def _alone(work_dir: Path) -> Iterator[None]:
    """One runner at a time makes folders here or looks for left ones; both take no time."""
    with (work_dir / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_free(root: Path) -> bool:
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _held(folder: Path) -> Held | None:
    """What the note says, if it was written: a step could have spoilt it, and the lease then does without."""
    try:
        note = json_object(read_plain(folder / _NOTE))
        held = Held(str(UUID(note["step_id"])), int(note["attempt"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return held if 1 <= held.attempt <= MAX_ATTEMPT else None


def _set_aside(root: Path) -> Path | None:
    """The name says that nobody works there any more; None where a step has seen to it that it cannot be given."""
    try:
        return root.rename(root.with_name(root.name.replace(_IN_USE, _LEFT, 1)))
    except OSError:
        return None
