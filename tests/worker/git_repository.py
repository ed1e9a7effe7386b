"""Real git repositories, and what a step's checkout makes of them."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.domain.script import ScriptPart, StepScript, step_program

IDENTITY = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip
CLEAN = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


@dataclass(frozen=True)
class Repository:
    """A repository with a working tree, served as a file."""

    folder: Path

    @property
    def url(self) -> str:
        return f"file://{self.folder}"

    def git(self, *words: str) -> str:
        command = ["git", "-C", str(self.folder), *words]
        done = subprocess.run(command, env={**CLEAN, **IDENTITY}, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, text: str) -> str:
        (self.folder / "file").write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"make it {text}")
        return self.git("rev-parse", "HEAD")


def make(folder: Path, *options: str) -> Repository:
    subprocess.run(["git", "init", "--quiet", *options, str(folder)], env={**CLEAN, **IDENTITY}, check=True)
    return Repository(folder)


@dataclass(frozen=True)
class Checkout:
    """What became of a checkout."""

    status: int
    output: str
    folder: Path

    @property
    def content(self) -> str:
        return (self.folder / "file").read_text()


def check_out(
    folder: Path,
    url: str,
    commit: str | None = None,
    branch: str | None = None,
    allow_file: bool = True,
    **environ: str,
) -> Checkout:
    folder.mkdir(exist_ok=True)
    step = StepScript("b", "p", "s", "n", 1, "true", (), {}, url, commit, branch, allow_file)
    program = step_program(step, ScriptPart.CHECKOUT)
    done = subprocess.run(
        ["bash"], input=program, cwd=folder, env={**CLEAN, **environ}, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return Checkout(done.returncode, done.stdout, folder)
