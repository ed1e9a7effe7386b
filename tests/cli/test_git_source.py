"""Where a build's source is taken from, on real repositories."""

import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from app.cli import git_source
from app.cli.demo_repository import HISTORY, make_repository
from app.cli.errors import UsageFault
from app.cli.git_source import find_source


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("git") / "demo project")


def test_the_checkout_around_a_folder_is_the_source(repository: Path) -> None:
    source = find_source(None, None, None, repository / "src" / "timespan")
    assert source is not None
    assert source.name == "demo project"
    assert source.fields["repoUrl"] == repository.as_uri()
    assert source.fields["branch"] == "main"
    assert source.fields["commitMessage"] == HISTORY[-1].message
    assert source.fields["commitAuthor"] == "Demo"
    assert len(source.fields["commitHash"]) == 40


def test_outside_of_a_checkout_there_is_no_source(tmp_path: Path) -> None:
    assert find_source(None, None, None, tmp_path) is None


def test_a_branch_is_pinned_to_its_commit(repository: Path, tmp_path: Path) -> None:
    source = find_source(str(repository), "main", None, tmp_path)
    head = find_source(None, None, None, repository)
    assert source is not None
    assert head is not None
    assert source.fields == head.fields


def test_a_commit_is_built_without_a_branch(repository: Path) -> None:
    source = find_source(str(repository), None, "HEAD~1", repository)
    assert source is not None
    assert "branch" not in source.fields
    assert source.fields["commitMessage"] == HISTORY[-2].message


def test_a_url_is_passed_on_as_it_is(tmp_path: Path) -> None:
    source = find_source("git@example.org:team/shop.git", "next", None, tmp_path)
    assert source is not None
    assert source.name == "shop"
    assert source.fields == {"repoUrl": "git@example.org:team/shop.git", "branch": "next"}


@pytest.mark.parametrize(
    ("repo", "branch", "commit", "message"),
    [
        ("/nowhere", None, None, "--repo /nowhere: neither a git repository nor a URL"),
        (None, "main", None, "--branch and --commit need a repository"),
        (None, None, "abc", "--branch and --commit need a repository"),
    ],
)
def test_a_source_that_cannot_be_is_refused(
    tmp_path: Path, repo: str | None, branch: str | None, commit: str | None, message: str
) -> None:
    with pytest.raises(UsageFault, match=message):
        find_source(repo, branch, commit, tmp_path)


def test_a_folder_inside_a_repository_is_not_taken_for_one_of_its_own(repository: Path) -> None:
    (inside := repository / "inside").mkdir()
    with pytest.raises(UsageFault, match=f"a folder inside the repository {repository}"):
        find_source(str(inside), None, None, repository)


@pytest.mark.parametrize("branch", ["gone", "--output=stolen"])
def test_a_branch_that_git_does_not_know_is_refused(repository: Path, branch: str) -> None:
    with pytest.raises(UsageFault, match="there is no branch"):
        find_source(str(repository), branch, None, repository)
    assert not (repository / "stolen").exists()


def test_uncommitted_changes_are_noticed(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "project")
    (repository / "README.md").write_text("changed")
    source = find_source(None, None, None, repository)
    assert source is not None
    assert source.uncommitted


def test_the_demo_repository_has_the_same_commits_everywhere(repository: Path) -> None:
    command = ["git", "-C", str(repository), "log", "--reverse", "--format=%at %ct %an %ae %s"]
    log = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    times = [int(datetime.fromisoformat(commit.date).timestamp()) for commit in HISTORY]
    assert log == [
        f"{at} {at} Demo demo@example.invalid {commit.message}" for at, commit in zip(times, HISTORY, strict=True)
    ]


def test_the_demo_repository_holds_every_file_of_the_example(repository: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "python-project"
    wanted = {
        path.relative_to(example) for path in example.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    made = {
        path.relative_to(repository) for path in repository.rglob("*") if path.is_file() and ".git" not in path.parts
    }
    assert made == wanted


def test_a_folder_of_a_user_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match=r"^--repo ~nobody-of-that-name/x: "):
        find_source("~nobody-of-that-name/x", None, None, tmp_path)


def test_a_git_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "git"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(git_source, "GIT_TIMEOUT_S", 0.1)
    with pytest.raises(UsageFault, match="git does not answer within"):
        find_source(None, None, None, tmp_path)


def test_a_machine_without_git_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageFault, match=r"^git is not installed, or not on PATH$"):
        find_source(None, None, None, tmp_path)
