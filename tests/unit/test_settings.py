"""Settings: defaults, what each variable accepts, and the one line a bad value gets."""

import socket
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import get_type_hints

import pytest

from config.settings import Settings, SettingsError, load_settings, variables


def test_an_empty_environment_gives_a_loopback_system_in_the_home_folder() -> None:
    settings = load_settings({})
    home = Path.home() / ".local/share/buildserver"
    assert (settings.host, settings.port, settings.api_url) == ("127.0.0.1", 3000, "http://127.0.0.1:3000")
    assert (settings.data_dir, settings.work_dir) == (home, home / "work")
    assert settings.database_url == f"sqlite:///{home}/buildserver.db"
    assert settings.redis_url == "redis://127.0.0.1:6379/0"
    assert (settings.trust_network, settings.allow_file_repos) == (False, False)
    assert (settings.log_limit_bytes, settings.max_body_bytes, settings.max_complete_body_bytes) == (
        64 * 1024**2,
        1024**2,
        8 * 1024**2,
    )
    assert settings.runner_name == socket.gethostname()


def test_every_default_has_the_type_its_field_declares() -> None:
    settings, types = load_settings({}), get_type_hints(Settings)
    wrong = [
        field.name for field in fields(Settings) if not isinstance(getattr(settings, field.name), types[field.name])
    ]
    assert wrong == []


def test_every_variable_is_ours_by_prefix_and_stands_for_one_setting() -> None:
    names = [variable.name for _, variable in variables()]
    assert len(set(names)) == len(names)
    assert {name for name in names if not name.startswith("BUILDSERVER_")} == {"DATABASE_URL", "REDIS_URL"}


def test_defaults_follow_the_settings_they_are_made_of(tmp_path: Path) -> None:
    settings = load_settings({"BUILDSERVER_DATA_DIR": str(tmp_path), "BUILDSERVER_PORT": "3456"})
    assert settings.database_url == f"sqlite:///{tmp_path}/buildserver.db"
    assert settings.work_dir == tmp_path / "work"
    assert settings.api_url == "http://127.0.0.1:3456"


def test_a_given_environment_is_read_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDSERVER_PORT", "4000")
    assert load_settings({}).port == 3000
    assert load_settings().port == 4000


def test_an_empty_variable_means_the_default() -> None:
    assert load_settings({"BUILDSERVER_PORT": ""}).port == 3000


def test_braces_in_a_value_are_plain_text(tmp_path: Path) -> None:
    odd = tmp_path / "{port}{nothing}"
    settings = load_settings({"BUILDSERVER_DATA_DIR": str(odd)})
    assert settings.work_dir == odd / "work"


def test_a_relative_folder_is_taken_from_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings({"BUILDSERVER_DATA_DIR": "here"}).data_dir == tmp_path / "here"


@pytest.mark.parametrize(("text", "bytes_meant"), [("512", 512), ("512KiB", 512 * 1024), ("1 gib", 1024**3)])
def test_sizes_may_have_a_binary_unit(text: str, bytes_meant: int) -> None:
    assert load_settings({"BUILDSERVER_LOG_LIMIT_BYTES": text}).log_limit_bytes == bytes_meant


@pytest.mark.parametrize(("text", "meant"), [("true", True), ("1", True), ("YES", True), ("off", False), ("0", False)])
def test_flags_have_the_usual_spellings(text: str, meant: bool) -> None:
    assert load_settings({"BUILDSERVER_TRUST_NETWORK": text}).trust_network is meant


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("BUILDSERVER_PORT", "http", "a whole number from 1 to 65535"),
        ("BUILDSERVER_PORT", "0", "a whole number from 1 to 65535"),
        ("BUILDSERVER_PORT", "65536", "a whole number from 1 to 65535"),
        ("BUILDSERVER_PORT", "٣٠٠٠", "a whole number from 1 to 65535"),
        ("BUILDSERVER_PORT", "9" * 30, "a whole number from 1 to 65535"),
        ("BUILDSERVER_LEASE_S", "nan", "a number of seconds from 0.1 to 86400"),
        ("BUILDSERVER_LEASE_S", "-1", "a number of seconds from 0.1 to 86400"),
        ("BUILDSERVER_MAX_BODY_BYTES", "0", "a size of at least 524288 bytes"),
        ("BUILDSERVER_MAX_COMPLETE_BODY_BYTES", "511 KiB", "a size of at least 524288 bytes"),
        ("BUILDSERVER_LOG_LIMIT_BYTES", "0", "a size of at least 1 bytes"),
        ("BUILDSERVER_LOG_LIMIT_BYTES", "2 GiB", "a size of at most 2147483647 bytes"),
        ("BUILDSERVER_KILL_GRACE_S", "10.5", "a number of seconds from 0 to 10"),
        ("BUILDSERVER_MAX_BODY_BYTES", "1 MB", "a size such as 1048576, 512 KiB, 64 MiB or 1 GiB"),
        ("BUILDSERVER_TRUST_NETWORK", "maybe", "true or false"),
        ("BUILDSERVER_EXECUTOR", "magic", "process"),
        ("BUILDSERVER_LOG_LEVEL", "loud", "DEBUG or INFO or WARNING or ERROR"),
        ("BUILDSERVER_POOL", "Fast Pool", "up to 63 lower-case letters, digits and hyphens"),
        ("BUILDSERVER_POOL", "fast\n", "up to 63 lower-case letters, digits and hyphens"),
        ("BUILDSERVER_HOST", "a host", "a host name or an address to listen on"),
        ("BUILDSERVER_API_URL", "localhost:3000", "http://… or https://…"),
        ("DATABASE_URL", "mysql://db", "sqlite:///… or postgresql://…"),
        ("REDIS_URL", "localhost:6379", "redis://…, rediss://… or unix:///…"),
        ("BUILDSERVER_WORK_DIR", "~nobody-of-that-name/work", "a folder; there is no such user"),
        ("BUILDSERVER_HEARTBEAT_S", "30", "less than the lease of 30 seconds"),
    ],
)
def test_a_bad_value_gets_one_line_with_variable_value_and_what_is_expected(
    variable: str, value: str, expected: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({variable: value})
    assert str(caught.value) == f"{variable}={value!r}: expected {expected}"


def test_a_refused_url_does_not_give_its_password_away() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"DATABASE_URL": "mysql://root:hunter2@db/builds"})
    assert "hunter2" not in str(caught.value)
    assert "mysql://***@db/builds" in str(caught.value)


def test_settings_cannot_be_changed() -> None:
    settings = load_settings({})
    with pytest.raises(FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]  # that it is refused is what is tested
    assert settings.port == 3000
