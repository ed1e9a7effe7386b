"""The Makefile, in a checkout whose path has blanks, with Pythons on PATH that are too old, incomplete or fine.

They judge what they are asked by a real Python that believes to be another one; what they would install they only note.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("Makefile", "requirements.lock", "requirements-test.lock", "setup.cfg", "pyproject.toml")
TOOLS = ("sh", "make", "awk", "echo", "mkdir", "cp", "chmod", "touch", "rm")
PYTHON = """\
#!/bin/sh
case $1 in
  --version) echo 'Python {version}' ;;
  -c) exec {real} -c "import sys; sys.version_info = {numbers}; sys.modules.update(dict.fromkeys({lacking}))
$2" ;;
  *)
    echo "$*" >> calls
    [ "$2" = venv ] || exit 0
    mkdir -p .venv/bin && cp "$0" .venv/bin/python
    printf '#!/bin/sh\\necho "buildserver $*"\\nexit {ends_with}\\n' > .venv/bin/buildserver
    chmod +x .venv/bin/buildserver ;;
esac
"""
TOO_OLD = "Build Server needs Python 3.11 or newer; found: {found}"
INCOMPLETE = "Python 3.12.4 cannot make virtual environments: install its venv package"


class Checkout:
    """The files that make reads, and a PATH with nothing but a few tools and the Pythons that a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a checkout"
        self._path = folder / "path"
        self.folder.mkdir()
        self._path.mkdir()
        for name in FILES:
            shutil.copy(ROOT / name, self.folder)
        for tool in TOOLS:
            (self._path / tool).symlink_to(shutil.which(tool) or tool)

    def has_python(self, name: str, version: str, lacking: tuple[str, ...] = (), ends_with: int = 0) -> None:
        program = PYTHON.format(
            version=version,
            real=shlex.quote(sys.executable),
            numbers=tuple(map(int, version.split("."))),
            lacking=lacking,
            ends_with=ends_with,
        )
        (self._path / name).write_text(program)
        (self._path / name).chmod(0o755)

    def make(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", *words],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={"PATH": str(self._path), "LC_ALL": "C"},
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        """What was to be installed."""
        noted = self.folder / "calls"
        return noted.read_text().splitlines() if noted.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_bare_make_lists_every_target(checkout: Checkout) -> None:
    (phony,) = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    answer = checkout.make()
    assert [line.split()[:2] for line in answer.stdout.splitlines()] == [
        ["make", target] for target in phony.split() if target != "remake"
    ]
    assert all(len(line.split()) > 3 for line in answer.stdout.splitlines()), "each says what it is for"
    assert (answer.returncode, answer.stderr, checkout.calls) == (0, "", [])


@pytest.mark.parametrize(
    ("version", "lacking", "words"),
    [
        ("3.10.12", (), TOO_OLD.format(found="Python 3.10.12")),
        ("3.12.4", ("ensurepip",), INCOMPLETE),
        ("3.12.4", ("venv",), INCOMPLETE),
        (None, (), TOO_OLD.format(found="none")),
    ],
)
def test_a_python_that_will_not_do_is_one_line_and_nothing_is_made(
    checkout: Checkout, version: str | None, lacking: tuple[str, ...], words: str
) -> None:
    if version:
        checkout.has_python("python3", version, lacking)
    answer = checkout.make("install")
    own, *rest = answer.stderr.splitlines()
    assert own.startswith(words)
    assert all(line.startswith("make: ***") for line in rest)
    assert (answer.returncode, answer.stdout, checkout.calls) == (2, "", [])
    assert not (checkout.folder / ".venv").exists()


def test_a_python_that_will_do_is_found_behind_ones_that_will_not(checkout: Checkout) -> None:
    checkout.has_python("python3.13", "3.13.0", lacking=("ensurepip",))
    checkout.has_python("python3", "3.9.2")
    checkout.has_python("python", "3.12.4")
    answer = checkout.make("install")
    assert answer.returncode == 0, answer
    assert answer.stdout.splitlines()[0] == "Making .venv with Python 3.12.4"


def test_the_python_that_a_person_names_is_taken(checkout: Checkout) -> None:
    checkout.has_python("python3", "3.12.4")
    checkout.has_python("my-python", "3.14.0")
    assert "Making .venv with Python 3.14.0" in checkout.make("install", "PYTHON=my-python").stdout


def test_installing_a_second_time_does_nothing(checkout: Checkout) -> None:
    checkout.has_python("python3", "3.12.4")
    checkout.make("install")
    first = checkout.calls
    assert [call.split()[1] for call in first] == ["venv", "pip", "pip"]
    assert all("--require-hashes" in call or "--editable" in call for call in first[1:])
    assert checkout.make("install").stdout == "make: Nothing to be done for 'install'.\n"
    assert checkout.calls == first


@pytest.mark.parametrize("gone", ["bin/python", "."])
def test_a_venv_whose_python_is_gone_is_made_anew(checkout: Checkout, gone: str) -> None:
    checkout.has_python("python3", "3.12.4")
    checkout.make("install")
    first, venv = checkout.calls, checkout.folder / ".venv"
    (venv / gone).unlink() if gone != "." else shutil.rmtree(venv)
    assert checkout.make("install").returncode == 0
    assert checkout.calls == first * 2


@pytest.mark.parametrize("lock", ["requirements.lock", "setup.cfg"])
def test_a_change_of_what_is_needed_is_installed(checkout: Checkout, lock: str) -> None:
    checkout.has_python("python3", "3.12.4")
    checkout.make("install")
    first = checkout.calls
    os.utime(checkout.folder / lock, (soon := time.time() + 60, soon))
    checkout.make("install")
    assert checkout.calls[len(first) :] == first[1:]


@pytest.mark.parametrize(("ends_with", "status"), [(0, 0), (1, 2)])
def test_the_demo_gets_its_arguments_and_its_failure_is_makes(checkout: Checkout, ends_with: int, status: int) -> None:
    """Whatever a command exits with, make tells it and exits with 2 itself."""
    checkout.has_python("python3", "3.12.4", ends_with=ends_with)
    answer = checkout.make("demo", "ARGS=--exit --port 3001")
    assert answer.stdout.splitlines()[-1] == "buildserver demo --exit --port 3001"
    assert answer.returncode == status
    assert (f"Error {ends_with}" in answer.stderr) is (status != 0)
