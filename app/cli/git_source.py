"""What a build is made from: a repository, a branch and a commit, found with git where they are not given.

It only reads. A repository on this machine is named by its folder and pinned to a commit; a remote one is passed on as
it was given, for the runner to resolve.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.cli.errors import UsageFault

GIT_TIMEOUT_S = 30
REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|[^/@:]+@[^/:]+:")


@dataclass(frozen=True)
class Source:
    """The build's origin in the API's own fields; `name` is the repository's, for the project."""

    name: str
    fields: dict[str, str]
    uncommitted: bool = False


def find_source(repo: str | None, branch: str | None, commit: str | None, here: Path) -> Source | None:
    """The source that the options name, else the checkout around `here`, else None."""
    if repo is not None and REMOTE.match(repo):
        return _remote(repo, branch, commit)
    folder = _folder(repo) if repo is not None else here
    top = _git(folder, "rev-parse", "--show-toplevel") or _git(folder, "rev-parse", "--absolute-git-dir")
    if top is not None:
        if repo is not None and Path(top) != folder.resolve():
            raise UsageFault(f"--repo {repo}: a folder inside the repository {top}; give the repository itself")
        return _local(Path(top), branch, commit)
    _require_nothing_asked(repo, branch, commit)
    return None


def _folder(repo: str) -> Path:
    try:
        return Path(repo).expanduser()
    except RuntimeError as error:  # ~name of a user that does not exist
        raise UsageFault(f"--repo {repo}: {error}") from error


def _remote(repo: str, branch: str | None, commit: str | None) -> Source:
    name = re.split(r"[/:]", repo.rstrip("/"))[-1].removesuffix(".git")
    return Source(name, _given({"repoUrl": repo, "branch": branch, "commitHash": commit}))


def _local(top: Path, branch: str | None, commit: str | None) -> Source:
    wanted = commit or branch or "HEAD"
    found = _git(top, "log", "-1", "--format=%H%x00%s%x00%an", "--end-of-options", wanted, "--")
    if found is None:
        raise UsageFault(f"{top}: {_why_no_commit(wanted, branch if commit is None else None)}")
    commit_hash, message, author = found.split("\0")
    on_branch = branch or (_git(top, "symbolic-ref", "--short", "-q", "HEAD") if commit is None else None)
    known = {
        "repoUrl": top.as_uri(),
        "branch": on_branch,
        "commitHash": commit_hash,
        "commitMessage": message,
        "commitAuthor": author,
    }
    uncommitted = wanted == "HEAD" and bool(_git(top, "status", "--porcelain", "--untracked-files=no"))
    return Source(top.name.removesuffix(".git"), _given(known), uncommitted)


def _why_no_commit(wanted: str, branch: str | None) -> str:
    if branch is not None:
        return f"there is no branch {branch!r}"
    return "the repository has no commit yet" if wanted == "HEAD" else f"git finds no commit for {wanted!r}"


def _require_nothing_asked(repo: str | None, branch: str | None, commit: str | None) -> None:
    if repo is not None:
        raise UsageFault(f"--repo {repo}: neither a git repository nor a URL")
    if branch or commit:
        raise UsageFault("--branch and --commit need a repository: give --repo, or run this inside a git checkout")


def _given(fields: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value}


def _git(folder: Path, *arguments: str) -> str | None:
    """git's answer, or None where it says no (not a repository, no such commit)."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, timeout=GIT_TIMEOUT_S, check=False
        )
    except FileNotFoundError as error:
        raise UsageFault("git is not installed, or not on PATH") from error
    except subprocess.TimeoutExpired as error:
        raise UsageFault(f"git does not answer within {GIT_TIMEOUT_S} s in {folder}") from error
    return answer.stdout.decode(errors="replace").strip() if answer.returncode == 0 else None
