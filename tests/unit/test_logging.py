"""Logging: JSON lines and the terminal form, ids on every line, no credentials in any."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from config.logging import configure_logging, log_context
from config.redaction import without_credentials
from config.settings import load_settings


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """The process's logging is global; what a test sets up ends with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def configure(**variables: str) -> None:
    configure_logging(load_settings({"BUILDSERVER_LOG_JSON": "true", **variables}))


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_one_json_object_with_event_level_logger_and_utc_time(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    structlog.get_logger("sweep").warning("lease expired", late_s=3)
    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "lease expired", "level": "warning", "logger": "sweep", "late_s": 3}


def test_the_standard_library_s_loggers_come_out_alike(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    logging.getLogger("celery.worker").info("got %s", "steps.run")
    (line,) = lines(capsys)
    assert (line["event"], line["logger"], line["level"]) == ("got steps.run", "celery.worker", "info")


def test_lines_inside_a_context_carry_its_ids_and_lines_after_it_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    log = structlog.get_logger("runner")
    with log_context(project="p1", build="b1", step="s1", attempt=2):
        log.info("claimed")
    with log_context(build="b2", step=None):
        logging.getLogger("elsewhere").info("planned")
    log.info("idle")
    claimed, planned, idle = lines(capsys)
    assert (claimed["project"], claimed["build"], claimed["step"], claimed["attempt"]) == ("p1", "b1", "s1", 2)
    assert planned["build"] == "b2"
    assert "step" not in planned
    assert not {"project", "build", "step", "attempt"} & set(idle)


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure(BUILDSERVER_LOG_LEVEL="WARNING")
    structlog.get_logger("quiet").info("unheard")
    logging.getLogger("quiet").info("unheard")
    assert lines(capsys) == []


def test_a_look_at_the_schema_s_revision_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() is None
    engine.dispose()
    assert lines(capsys) == []


def test_configuring_again_does_not_double_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    configure()
    structlog.get_logger("once").info("said")
    assert len(lines(capsys)) == 1


def test_without_json_a_line_reads_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure(BUILDSERVER_LOG_JSON="false")
    with log_context(build="b1"):
        structlog.get_logger("plain").info("planned")
    (line,) = capsys.readouterr().err.splitlines()
    assert "planned" in line
    assert "build=b1" in line
    assert "\x1b" not in line


@pytest.mark.parametrize("as_json", ["true", "false"])
def test_no_credential_is_written_from_event_field_argument_or_traceback(
    as_json: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(BUILDSERVER_LOG_JSON=as_json)
    secret = "redis://:hunter2@redis:6379/0"
    structlog.get_logger("ours").info(f"connecting to {secret}", url=secret)
    logging.getLogger("theirs").error("cannot reach %s", secret)
    try:
        told_nobody = "hunter2"  # the variables of a frame are nobody's business
        raise ConnectionError(secret, len(told_nobody))
    except ConnectionError:
        structlog.get_logger("ours").exception("gave up", nested={"urls": [secret]})
    written = capsys.readouterr().err
    assert written.count("redis://***@redis:6379/0") >= 5
    assert "hunter2" not in written


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("postgresql://app:s3cret@db:5432/builds", "postgresql://***@db:5432/builds"),
        ("https://ghp_token@git.example/a.git", "https://***@git.example/a.git"),
        ("redis://:p@ss@host/0", "redis://***@host/0"),
        ("from https://a:b@c/d to https://e:f@g/h", "from https://***@c/d to https://***@g/h"),
        ("'https://app:it's@git.example/a.git'", "'https://***@git.example/a.git'"),
        ("ssh://git@git.example/a.git", "ssh://git@git.example/a.git"),
        ("ssh://git:p@ss@git.example/a.git", "ssh://***@git.example/a.git"),
        ("https://git.example/a@v1", "https://git.example/a@v1"),
        ("git@git.example:a/b.git", "git@git.example:a/b.git"),
    ],
)
def test_only_the_credentials_of_a_url_are_taken_out(text: str, printed: str) -> None:
    assert without_credentials(text) == printed
