"""The checkout from a real server over HTTP, whose login stands in the repository's URL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.git_repository import Repository, check_out, make
from tests.worker.git_server import LOGIN, Dumb, Smart, serving

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
