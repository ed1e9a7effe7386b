"""An attempt's folders: a workspace, a home and a place for temporary files; nobody else may look inside."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Workspace:
    """Where the attempt works, and everything of the environment that its programs are given."""

    folder: Path
    environ: Mapping[str, str]
    log: Path


@contextmanager
def workspace(work_dir: Path, path: str) -> Iterator[Workspace]:
    """Fresh folders below `work_dir`, gone afterwards; `path` is where programs are looked for."""
    work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    root = Path(tempfile.mkdtemp(prefix="attempt-", dir=work_dir))
    try:
        folders = {name: root / name for name in ("workspace", "home", "tmp")}
        for folder in folders.values():
            folder.mkdir(mode=0o700)
        environ = {"PATH": path, "HOME": str(folders["home"]), "TMPDIR": str(folders["tmp"]), "LANG": "C.UTF-8"}
        yield Workspace(folders["workspace"], environ, root / "log")
    finally:
        shutil.rmtree(root, ignore_errors=True)
