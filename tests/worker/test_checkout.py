"""The checkout against real git repositories: exactly what was asked for, and nothing of the repository is run."""

import subprocess
from pathlib import Path

import pytest

from app.domain.script import StepScript, step_program
from tests.worker.git_repository import CLEAN, Repository, check_out, make


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = make(tmp_path / "repository", "--initial-branch=trunk")
    made.commit("first")
    return made


@pytest.mark.parametrize("digits", [40, 12, 7])
@pytest.mark.parametrize("place", ["on the branch", "on another branch", "on a tag only"])
def test_a_commit_is_checked_out_exactly(repository: Repository, tmp_path: Path, digits: int, place: str) -> None:
    if place != "on the branch":
        repository.git("checkout", "--quiet", "-b", "other")
    wanted = repository.commit("wanted")
    repository.commit("later")
    if place == "on a tag only":
        repository.git("tag", "v1", wanted)
        repository.git("checkout", "--quiet", "trunk")
        repository.git("branch", "-D", "other")
    done = check_out(tmp_path / "w", repository.url, wanted[:digits])
    assert (done.status, done.content) == (0, "wanted"), done.output
    assert f"» at {wanted[:7]}" in done.output


def test_a_commit_on_no_branch_is_had_by_its_whole_hash(repository: Repository, tmp_path: Path) -> None:
    lost = repository.commit("lost")
    repository.git("reset", "--quiet", "--hard", "HEAD~1")
    assert check_out(tmp_path / "w", repository.url, lost).content == "lost"


def test_a_commit_in_capitals_is_the_same_commit(repository: Repository, tmp_path: Path) -> None:
    wanted = repository.commit("wanted")
    repository.commit("later")
    for digits in (40, 10):
        assert check_out(tmp_path / str(digits), repository.url, wanted[:digits].upper()).content == "wanted"


@pytest.mark.parametrize("kind", ["tag", "branch"])
def test_a_name_that_looks_like_the_abbreviated_commit_is_not_taken_for_it(
    repository: Repository, tmp_path: Path, kind: str
) -> None:
    wanted = repository.commit("wanted")
    repository.commit("another")
    repository.git(kind, wanted[:7])
    assert check_out(tmp_path / "w", repository.url, wanted[:7]).content == "wanted"


def test_a_commit_of_a_sha256_repository_is_checked_out(tmp_path: Path) -> None:
    repository = make(tmp_path / "sha256", "--object-format=sha256")
    wanted = repository.commit("wanted")
    repository.commit("later")
    assert check_out(tmp_path / "w", repository.url, wanted).content == "wanted"


@pytest.mark.parametrize("commit", ["0123456", "0123456789" * 4])
def test_an_unknown_commit_is_named(repository: Repository, tmp_path: Path, commit: str) -> None:
    done = check_out(tmp_path / "w", repository.url, commit)
    assert done.status == 1
    assert done.output.endswith(f"» checkout failed: the repository has no commit {commit}\n")


@pytest.mark.parametrize("branch", ["feature/a/b", "größe", "v1.0", "it's", "$(touch${IFS}canary)", "a;b"])
def test_a_branch_is_checked_out_by_its_name(repository: Repository, tmp_path: Path, branch: str) -> None:
    repository.git("checkout", "--quiet", "-b", branch)
    repository.commit("of the branch")
    repository.git("checkout", "--quiet", "trunk")
    done = check_out(tmp_path / "w", repository.url, branch=branch)
    assert (done.status, done.content) == (0, "of the branch"), done.output


def test_without_a_commit_or_branch_the_default_branch_is_meant_whatever_its_name(
    repository: Repository, tmp_path: Path
) -> None:
    assert check_out(tmp_path / "w", repository.url).content == "first"


def test_an_unknown_branch_is_named(repository: Repository, tmp_path: Path) -> None:
    done = check_out(tmp_path / "w", repository.url, branch="nowhere")
    assert (done.status, done.output.splitlines()[-1]) == (1, "» checkout failed: the branch nowhere cannot be read")


@pytest.mark.parametrize(("commit", "branch"), [(None, None), (None, "main"), ("0123456", None)])
def test_an_empty_repository_is_a_failed_checkout(tmp_path: Path, commit: str | None, branch: str | None) -> None:
    done = check_out(tmp_path / "w", make(tmp_path / "empty").url, commit, branch)
    assert done.status == 1
    assert "» checkout failed: " in done.output.splitlines()[-1]


def test_a_repository_that_is_away_is_a_failed_checkout_in_gits_own_words(tmp_path: Path) -> None:
    done = check_out(tmp_path / "w", f"file://{tmp_path}/gone", "0123456")
    assert done.status == 1
    assert "does not exist" in done.output or "not appear to be a git repository" in done.output
    assert done.output.endswith("» checkout failed: the repository cannot be read\n")


@pytest.mark.parametrize("login", ["user:s3cret", "s3cret-token", "user:s3c@s3cret", "us'er:s3cret", "u:s3c@x:s3c"])
@pytest.mark.parametrize(("commit", "branch"), [(None, None), (None, "main"), ("0123456", None)])
def test_the_credentials_of_a_url_are_never_in_the_log(
    tmp_path: Path, login: str, commit: str | None, branch: str | None
) -> None:
    done = check_out(tmp_path / "w", f"http://{login}@127.0.0.1:9/path@x", commit, branch)
    assert done.status == 1
    assert "s3c" not in done.output
    assert "http://127.0.0.1:9/path@x" in done.output


def test_a_password_that_git_repeats_decoded_is_not_in_the_log(tmp_path: Path) -> None:
    """git names the host it cannot find with what stands before it, `%24` written as `$`."""
    done = check_out(tmp_path / "w", "git://user:pa%24s3cret@nohost.invalid/path", branch="main")
    assert done.status == 1
    assert "nohost.invalid" in done.output
    assert "s3cret" not in done.output


@pytest.mark.parametrize("name", ["work.txt", ".hidden"])
def test_a_folder_with_something_in_it_is_left_as_it_is(repository: Repository, tmp_path: Path, name: str) -> None:
    """Whoever runs the program by hand may stand in a checkout of their own."""
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / name).write_text("mine")
    done = check_out(tmp_path / "w", repository.url)
    assert done.status == 1
    assert "» checkout failed: this folder is not empty; run the program in one that is\n" in done.output
    assert [path.name for path in (tmp_path / "w").iterdir()] == [name]


def test_the_credentials_of_an_ssh_url_are_not_in_the_log_though_ssh_repeats_them(tmp_path: Path) -> None:
    """It names whom it could not log in as, without any `://` in front of it."""
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\necho "$*: Permission denied" >&2\nexit 255\n')
    ssh.chmod(0o755)
    done = check_out(tmp_path / "w", "ssh://user:s3cret@host/path", branch="main", GIT_SSH=str(ssh))
    assert done.status == 1
    assert "host" in done.output and ": Permission denied\n" in done.output
    assert "s3cret" not in done.output


def test_ssh_is_told_the_user_of_a_url_and_not_the_password(tmp_path: Path) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > '{tmp_path}/told'\nexit 255\n")
    ssh.chmod(0o755)
    check_out(tmp_path / "w", "ssh://user:s3cret@host/path", branch="main", GIT_SSH=str(ssh))
    told = (tmp_path / "told").read_text().splitlines()
    assert ("user@host" in told, [word for word in told if "s3cret" in word]) == (True, [])


@pytest.mark.parametrize("url", ["ext::touch canary", "fd::0", "file:///etc", "EXT::touch canary"])
def test_git_itself_refuses_a_protocol_that_is_not_allowed(tmp_path: Path, url: str) -> None:
    done = check_out(tmp_path / "w", url, allow_file=False)
    assert done.status == 1
    assert not (done.folder / "canary").exists()
    assert "not allowed" in done.output or "unable to find remote helper" in done.output.lower()


def test_a_file_repository_is_refused_where_the_server_does_not_allow_them(
    repository: Repository, tmp_path: Path
) -> None:
    done = check_out(tmp_path / "w", repository.url, allow_file=False)
    assert (done.status, (done.folder / "file").exists()) == (1, False)
    assert "transport 'file' not allowed" in done.output


def test_nothing_of_this_machines_git_reaches_the_checkout(repository: Repository, tmp_path: Path) -> None:
    template, elsewhere = tmp_path / "template", make(tmp_path / "elsewhere")
    (template / "hooks").mkdir(parents=True)
    hook = template / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch '{tmp_path}/canary'\n")
    hook.chmod(0o755)
    (template / "marker").touch()
    config = tmp_path / "config"
    config.write_text(
        f"[core]\n\thooksPath = {template}/hooks\n[init]\n\ttemplateDir = {template}\n"
        f'[url "{elsewhere.url}"]\n\tinsteadOf = {repository.url}\n'
    )
    done = check_out(
        tmp_path / "w", repository.url, HOME=str(tmp_path),
        GIT_CONFIG_GLOBAL=str(config), GIT_CONFIG_SYSTEM=str(config),
        GIT_DIR=str(elsewhere.folder / ".git"), GIT_WORK_TREE=str(elsewhere.folder), GIT_TEMPLATE_DIR=str(template),
        GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="core.hooksPath", GIT_CONFIG_VALUE_0=str(template / "hooks"),
    )  # fmt: skip
    assert (done.status, done.content) == (0, "first"), done.output
    assert not (tmp_path / "canary").exists()
    assert not (elsewhere.folder / "file").exists()
    assert not (done.folder / ".git" / "marker").exists()


def test_submodules_are_not_fetched(repository: Repository, tmp_path: Path) -> None:
    inner = make(tmp_path / "inner")
    inner.commit("inner")
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner.url, "inner")
    repository.commit("outer")
    done = check_out(tmp_path / "w", repository.url)
    assert (done.content, list((done.folder / "inner").iterdir())) == ("outer", [])


def test_hostile_names_and_links_in_a_repository_are_files_like_others(repository: Repository, tmp_path: Path) -> None:
    names = ["-rf", "--help", "$(touch canary)", "a\nb", "größe", ";touch canary"]
    for name in names:
        (repository.folder / name).write_text(name)
    (repository.folder / "link").symlink_to("/etc/passwd")
    (repository.folder / ".gitattributes").write_text("* filter=evil\n")
    repository.commit("hostile")
    done = check_out(tmp_path / "w", repository.url)
    assert (done.status, done.content) == (0, "hostile"), done.output
    assert {name: (done.folder / name).read_text() for name in names} == {name: name for name in names}
    assert (done.folder / "link").is_symlink()
    assert not (done.folder / "canary").exists()


def test_git_settings_of_the_checkout_do_not_reach_the_script(repository: Repository, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    step = StepScript("b", "p", "s", "n", 1, "env | grep ^GIT_ | sort", (), {}, repository.url, None, "trunk", True)
    done = subprocess.run(
        ["bash"], input=step_program(step), cwd=folder, env=CLEAN, capture_output=True, text=True, check=False
    )
    commit = repository.git("rev-parse", "HEAD")
    assert done.stdout.splitlines()[-2:] == ["GIT_BRANCH=trunk", f"GIT_COMMIT={commit}"]
    assert done.stdout.count("GIT_") == 2


def test_a_path_with_bash_and_git_alone_is_enough(repository: Repository, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "git").symlink_to(next(Path(p, "git") for p in CLEAN["PATH"].split(":") if Path(p, "git").exists()))
    folder = tmp_path / "w"
    folder.mkdir()
    step = StepScript("b", "p", "s", "n", 1, "echo ran", ("file",), {"A": "b"}, repository.url, None, None, True)
    done = subprocess.run(
        ["/bin/bash"], input=step_program(step), cwd=folder, env={"PATH": str(tools)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[-1], done.stderr) == (0, "ran", "")


def test_a_machine_without_git_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/bash"], input=step_program(StepScript("b", "p", "s", "n", 1, "true", repo_url="https://h/r")),
        cwd=tmp_path, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "» checkout failed: there is no git on this machine\n")
