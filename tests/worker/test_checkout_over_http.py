"""The checkout from a real server over HTTP, whose login stands in the repository's URL."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.script import StepScript, step_program
from tests.worker.git_repository import CLEAN, Repository, check_out, make
from tests.worker.git_server import LOGIN, TOKEN, Dumb, Elsewhere, Smart, Watching, serving

WANTED = "wanted"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = make(tmp_path / "served" / "repository", "--initial-branch=trunk")
    made.commit(WANTED)
    return made


@pytest.fixture(params=[Smart, Dumb])
def address(repository: Repository, request: pytest.FixtureRequest) -> Iterator[str]:
    """Of a server that has the repository, with a newer commit on another branch."""
    repository.git("branch", "wanted")
    repository.commit("later")
    repository.git("update-server-info")
    with serving(repository.folder.parent, request.param) as host:
        yield f"{host}/repository/.git"


@pytest.mark.parametrize("digits", [40, 8])
def test_a_commit_is_had_over_http_and_the_login_is_not_in_the_log(
    repository: Repository, address: str, tmp_path: Path, digits: int
) -> None:
    commit = repository.git("rev-parse", "wanted")
    done = check_out(tmp_path / "w", f"http://{LOGIN}@{address}", commit[:digits])
    assert (done.status, done.content) == (0, WANTED), done.output
    assert f"http://{address}" in done.output
    assert "s3cret" not in done.output


def test_a_branch_is_had_over_http_and_the_login_is_not_in_the_log(address: str, tmp_path: Path) -> None:
    done = check_out(tmp_path / "w", f"http://{LOGIN}@{address}", branch="wanted")
    assert (done.status, done.content) == (0, WANTED), done.output
    assert "s3cret" not in done.output


@pytest.mark.parametrize("login", ["user:wr0ng-s3cret@", ""])
def test_a_login_that_is_refused_is_a_failed_checkout_that_asks_nobody(
    address: str, tmp_path: Path, login: str
) -> None:
    done = check_out(tmp_path / "w", f"http://{login}{address}", branch="wanted")
    assert (done.status, (done.folder / "file").exists()) == (1, False)
    assert done.output.endswith("» checkout failed: the branch wanted cannot be read\n")
    assert len(done.output.splitlines()) > 2, "git's own words are missing"
    assert "s3cret" not in done.output


def test_an_unknown_branch_of_a_server_is_named_without_the_login(address: str, tmp_path: Path) -> None:
    done = check_out(tmp_path / "w", f"http://{LOGIN}@{address}", branch="nowhere")
    assert done.output.endswith("» checkout failed: the branch nowhere cannot be read\n")
    assert "s3cret" not in done.output


def test_a_token_may_stand_in_the_place_of_the_user(address: str, tmp_path: Path) -> None:
    done = check_out(tmp_path / "w", f"http://{TOKEN}@{address}", branch="wanted")
    assert (done.status, done.content) == (0, WANTED), done.output
    assert TOKEN not in done.output


@pytest.mark.parametrize("login", [LOGIN, TOKEN], ids=["password", "token"])
def test_no_user_of_the_machine_sees_the_login_among_the_arguments_of_a_process(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    monkeypatch.setattr(Watching, "presented", [])
    monkeypatch.setattr(Watching, "shown", [])
    with serving(repository.folder.parent, Watching) as host:
        done = check_out(tmp_path / "w", f"http://{login}@{host}/repository/.git", branch="trunk")
    assert (done.status, done.content) == (0, WANTED), done.output
    assert Watching.presented != []
    assert Watching.shown == []


def test_neither_the_script_nor_what_it_finds_in_its_folder_holds_the_login(address: str, tmp_path: Path) -> None:
    looking = "env; cat /proc/$PPID/environ; git config --list; grep -r . .git || :"
    step = StepScript("b", "p", "s", "n", 1, looking, (), {}, f"http://{LOGIN}@{address}", None, "wanted")
    folder = tmp_path / "w"
    folder.mkdir()
    done = subprocess.run(
        ["bash"], input=step_program(step).encode(), cwd=folder, env=CLEAN, capture_output=True, check=False
    )
    assert (done.returncode, b"GIT_COMMIT" in done.stdout) == (0, True)
    assert b"s3cret" not in done.stdout + done.stderr
    assert not [path for path in folder.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]


def test_a_server_that_sends_git_elsewhere_does_not_send_the_login_along(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Smart, "presented", [])
    (tmp_path / "first").mkdir()
    with serving(repository.folder.parent, Smart) as second, serving(tmp_path / "first", Elsewhere) as first:
        (tmp_path / "first" / "host").write_text(second)
        done = check_out(tmp_path / "w", f"http://{LOGIN}@{first}/repository/.git", branch="trunk")
    assert (done.status, Smart.presented) == (1, [])
    assert "s3cret" not in done.output


def test_a_refused_login_asks_no_program_of_the_machine(address: str, tmp_path: Path) -> None:
    asking = tmp_path / "ask"
    asking.write_text(f"#!/bin/sh\ntouch '{tmp_path}/canary'\n")
    asking.chmod(0o755)
    check_out(tmp_path / "w", f"http://{address}", branch="wanted", GIT_ASKPASS=str(asking), SSH_ASKPASS=str(asking))
    assert not (tmp_path / "canary").exists()
