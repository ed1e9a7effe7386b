"""What a running system's logs bring to the terminal."""

import json
from pathlib import Path

import pytest
from rich.text import Text

from app.cli.log_tail import LogTail
from app.cli.surfacing import counted, surfaced


def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("old\n")
    tail = LogTail(log)
    with log.open("a") as file:
        file.write("one\ntwo\nunfinis")
        file.flush()
        assert tail.new_lines() == ["one", "two"]
        file.write("hed\n")
    assert tail.new_lines() == ["unfinished"]
    assert tail.new_lines() == []


def test_a_log_that_comes_later_or_is_rotated_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    tail = LogTail(log)
    assert tail.new_lines() == []
    log.write_text("first\n")
    assert tail.new_lines() == ["first"]
    log.rename(tmp_path / "api.log.1")
    log.write_text("a longer first line after rotation\n")
    assert tail.new_lines() == ["a longer first line after rotation"]


@pytest.mark.parametrize(
    ("program", "line", "shown"),
    [
        ("api", json.dumps({"level": "info", "event": "request"}), []),
        ("api", json.dumps({"level": "warning", "event": "disk\nfull"}), ["api: disk full"]),
        ("runner", json.dumps({"level": "error", "event": "\x1b[2Jlost"}), ["runner: lost"]),
        ("flower", json.dumps({"level": "warning", "event": "Inspect method conf failed"}), []),
        ("api", "no json at all", []),
        ("api", "[1, 2]", []),
        (
            "supervisord",
            "2026-01-01 INFO exited: runner (terminated by SIGKILL; not expected)",
            ["runner ended (terminated by SIGKILL; not expected) and is started again"],
        ),
        ("supervisord", "2026-01-01 INFO spawned: 'runner' with pid 7", []),
    ],
)
def test_warnings_errors_and_restarts_are_surfaced(program: str, line: str, shown: list[str]) -> None:
    assert [text.plain for text in surfaced(program, line)] == shown


def test_what_is_said_again_and_again_is_shown_once_with_how_often() -> None:
    news = counted([Text("full"), Text("other"), Text("full"), Text("full")])
    assert [text.plain for text in news] == ["full (3 times)", "other"]
