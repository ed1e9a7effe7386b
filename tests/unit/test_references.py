"""Which repositories, commits, branches, images, pools, paths and variables are taken; branches by git's own word."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.references import (
    BASH_S_OWN_VARIABLES,
    check_branch,
    check_cache_dir,
    check_commit_hash,
    check_env_name,
    check_image_url,
    check_pool,
    check_repo_url,
    check_workspace_path,
)

REPOSITORIES = [
    "https://git.example/a/b.git",
    "http://user:pass%20word@git.example:8080/a",
    "https://token@git.example/a",
    "ssh://git@git.example:22/~user/a",
    "git://[::1]/a",
    "https://git_server",
    "git@github.com:a/b.git",
    "git@host:~user/b",
]
NO_REPOSITORIES = [
    "",
    "ext::sh -c id",
    "EXT::sh",
    "fd::17",
    "FD::17",
    "File:///etc",
    "FILE:///etc",
    "HTTPS://git.example/a",
    "/srv/git",
    "./here",
    "-u",
    "--upload-pack=id",
    "file:/etc",
    "file://host/etc",
    "https://-oProxyCommand=id/a",
    "https://-host/a",
    "ssh://git@-host/a",
    "ssh://-git@host/a",
    "ssh://-oProxyCommand=id@host/a",
    "ssh://git@-oProxyCommand=id/a",
    "git@-host:a",
    "-git@host:a",
    "git@host:-oProxyCommand=id",
    "git@host:-u",
    "https://",
    "https:///a",
    "https://host/a b",
    "https://host/a\n",
    "git@host:a\n",
    "file:///a\n",
    "https://host/\x1b[31m",
    "https://host/%zz",
    "https://hóst/a",
    "https://a@b@host/a",
    "https://host:port/a",
    "https://host/" + "a" * 2_000,
]
IMAGES = ["alpine", "alpine:3.20", "registry.example:5000/a/b@sha256:" + "a" * 64, "docker://alpine:3.20", "a__b/c-d"]
# No URI begins with a digit, so that these are taken as references or not at all.
IMAGES += ["0ad:1.2", "127.0.0.1:5000/a/b:x", "0ad@sha256:" + "a" * 64]
NO_IMAGES = [
    "",
    "-alpine",
    "alpine\n",
    "docker://alpine\n",
    "docker://al pine",
    "al pine",
    "alpine:",
    "/alpine",
    "a@sha256:12",
    "a" * 2_001,
    "0ad:",
    "0ad:-x",
    "0ad@sha256:12",
    "-a:b",
]
BRANCHES = ["main", "feature/x", "a.b", "ünïcode", "x@y", "-".join("ab"), "HEAD"]
NO_BRANCHES = [
    "",
    "-x",
    "--upload-pack=x",
    "a..b",
    "a b",
    "a\n",
    "a/",
    "/a",
    "a//b",
    ".a",
    "a/.b",
    "a.lock",
    "a.lock/b",
]
NO_BRANCHES += ["@", "a@{b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "a.", "a\x7f", "a" * 2_001]
PATHS = ["dist", "dist/*.whl", "a b", "..a", "a..b/c"]
NO_PATHS = ["", "/etc", "~/x", "..", "a/../b", "-rf", "a\nb", "a\0", "a\x7f", "x" * 2_001]


@pytest.mark.parametrize("url", REPOSITORIES)
def test_a_repository_that_git_fetches_is_taken(url: str) -> None:
    assert check_repo_url(url, allow_file=False) is None


@pytest.mark.parametrize("url", NO_REPOSITORIES)
@pytest.mark.parametrize("allow_file", [True, False])
def test_what_could_be_an_option_a_command_or_another_protocol_is_no_repository(url: str, allow_file: bool) -> None:
    assert check_repo_url(url, allow_file)


def test_a_file_url_is_taken_where_the_server_allows_it() -> None:
    assert check_repo_url("file:///srv/a.git", allow_file=True) is None
    assert "not allowed on this server" in (check_repo_url("file:///srv/a.git", allow_file=False) or "")


@pytest.mark.parametrize(("value", "fine"), [("a" * 7, True), ("AbC1234", True), ("f" * 64, True), ("a" * 6, False)])
def test_a_commit_is_7_to_64_hexadecimal_digits(value: str, fine: bool) -> None:
    assert (check_commit_hash(value) is None) is fine
    for wrong in (value + "\n", "-" + value, value + "g", "a" * 65):
        assert check_commit_hash(wrong)


@pytest.mark.parametrize("name", BRANCHES)
def test_a_branch_that_git_accepts_is_taken(name: str) -> None:
    assert check_branch(name) is None


@pytest.mark.parametrize("name", NO_BRANCHES)
def test_a_branch_that_git_does_not_accept_is_refused(name: str) -> None:
    assert check_branch(name)


@given(st.text(st.sampled_from("ab/.@{~^:?*[\\ -lock\x7f\tü"), min_size=1, max_size=9))
@settings(max_examples=150, deadline=None)
def test_every_branch_is_judged_as_git_judges_it(name: str) -> None:
    accepted = subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"], check=False).returncode == 0
    assert (check_branch(name) is None) is (accepted and not name.startswith("-") and name != "@")


@pytest.mark.parametrize("url", IMAGES)
def test_an_image_reference_or_uri_is_taken(url: str) -> None:
    assert check_image_url(url) is None


@pytest.mark.parametrize("url", NO_IMAGES)
def test_what_is_no_image_is_refused(url: str) -> None:
    assert check_image_url(url)


@pytest.mark.parametrize("path", PATHS)
def test_a_path_in_the_workspace_is_taken(path: str) -> None:
    assert (check_workspace_path(path), check_cache_dir(path), check_cache_dir(f"~/{path}")) == (None, None, None)


@pytest.mark.parametrize("path", NO_PATHS)
def test_a_path_that_leaves_the_workspace_is_refused(path: str) -> None:
    assert check_workspace_path(path)
    assert check_cache_dir(f"~/{path}")


def test_a_pool_is_a_short_plain_name() -> None:
    assert [check_pool(name) is None for name in ("gpu-1", "a" * 63)] == [True, True]
    for wrong in ("", "-a", "GPU", "a b", "a\n", "a" * 64, "a.b"):
        assert check_pool(wrong)


def test_a_variable_that_bash_keeps_for_itself_is_refused() -> None:
    for name in BASH_S_OWN_VARIABLES:
        assert check_env_name(name)


def test_a_variable_has_a_name_that_bash_can_assign() -> None:
    assert [check_env_name(name) for name in ("A", "a1", "_A", "__")] == [None] * 4
    for wrong in ("", "1A", "A B", "A=B", "A\n", "Ä", "A-B"):
        assert check_env_name(wrong)


def test_bash_hands_every_other_variable_on_unchanged() -> None:
    """The names bash knows of, each set and asked for in a program such as ours."""
    known = subprocess.run(["bash", "-c", "compgen -v"], capture_output=True, text=True, check=True).stdout.split()
    names = [name for name in known if check_env_name(name) is None and name not in ("PATH", "PS4")]
    assert len(names) > 5
    program = "".join(f"export {name}=kept\n" for name in names) + 'exec "$BASH" -c "export -p"'
    seen = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True).stdout
    assert [name for name in names if f'{name}="kept"' not in seen] == []
