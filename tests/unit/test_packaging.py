"""The lock files hold what setup.cfg asks for, and the wheel holds everything that the installed programs read."""

import configparser
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-test.lock")
PACKAGES = ("app", "config", "tasks", "worker")


def setup() -> configparser.ConfigParser:
    parsed = configparser.ConfigParser()
    parsed.read(ROOT / "setup.cfg")
    return parsed


def requirements(section: str, option: str) -> list[Requirement]:
    return [Requirement(line) for line in setup()[section][option].strip().splitlines()]


def pinned(lock: str) -> dict[str, set[str]]:
    """The versions a lock file allows, by name; several where they differ between Pythons."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def unmet(asked: list[Requirement], lock: str) -> list[str]:
    pins = pinned(lock)
    return [str(each) for each in asked if not is_met(each, pins.get(canonicalize_name(each.name), set()))]


def is_met(asked: Requirement, versions: set[str]) -> bool:
    return bool(versions) and all(asked.specifier.contains(version) for version in versions)


def test_the_locks_meet_what_setup_cfg_asks_for() -> None:
    runtime = requirements("options", "install_requires")
    assert unmet(runtime, "requirements.lock") == []
    assert unmet(runtime + requirements("options.extras_require", "test"), "requirements-test.lock") == []


def test_the_tools_lock_changes_nothing_that_is_pinned_for_running() -> None:
    tools = pinned("requirements-test.lock")
    assert {name: tools.get(name) for name in pinned("requirements.lock")} == pinned("requirements.lock")


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_every_pin_has_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert re.search(r"https?:|file:|--index|--extra-index|--find-links| @ ", text) is None
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_the_wheel_holds_every_module_and_file_of_the_packages(tmp_path: Path) -> None:
    source, ignored = tmp_path / "source", shutil.ignore_patterns("__pycache__")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=ignored)
    for name in ("setup.cfg", "pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("buildserver-*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
