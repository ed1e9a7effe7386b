"""A server program that a test session owns: without root's rights, and gone when the session ends, however it ends."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

STOP_DEADLINE_S = 20.0
ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
NOTHING_ELSE: Mapping[str, str] = {}


def short_folder(prefix: str) -> Path:
    """A new private folder whose path leaves room for a socket's name, as those are limited to about 100 bytes."""
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir="/tmp"))
    if os.geteuid() == 0:
        user = unprivileged_user()
        os.chown(folder, user.pw_uid, user.pw_gid)
    return folder


def unprivileged_user() -> pwd.struct_passwd:
    """Whom servers run as where the tests run as root: PostgreSQL refuses root."""
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def start(
    words: list[str], log: Path, stop_signal: signal.Signals, environ: Mapping[str, str] = NOTHING_ELSE
) -> subprocess.Popen[bytes]:
    """The program, running; where the kernel can do it, `stop_signal` reaches it when the tests die."""
    leash = ["setpriv", "--pdeathsig", stop_signal.name.removeprefix("SIG")] if shutil.which("setpriv") else []
    user, group, extra_groups = _identity()
    with log.open("ab") as output:
        return subprocess.Popen(
            [*leash, *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**ENVIRONMENT, **environ},
            cwd=log.parent,
            user=user,
            group=group,
            extra_groups=extra_groups,
            start_new_session=True,
        )


def run(words: list[str], cwd: Path) -> None:
    """A program to its end, as the same user; what it printed is in the error if it fails."""
    user, group, extra_groups = _identity()
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        cwd=cwd,
        user=user,
        group=group,
        extra_groups=extra_groups,
        check=False,
    )
    assert done.returncode == 0, f"{words[0]}: {done.stdout}{done.stderr}"


def stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    process.send_signal(stop_signal)
    try:
        process.wait(STOP_DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _identity() -> tuple[int | None, int | None, list[int] | None]:
    if os.geteuid() != 0:
        return None, None, None
    user = unprivileged_user()
    return user.pw_uid, user.pw_gid, []
