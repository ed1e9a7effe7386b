"""The folders of attempts: who uses them, and what one learns from those of a runner that is dead."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from worker.workspace import Held, Left, left_behind, workspace

STEP = "01a20f45-ad4b-74fb-a9cc-d1805a0b0b66"
HELD = Held(STEP, 3)
NOTE = json.dumps({"step_id": STEP, "attempt": 3})


def dead(work_dir: Path, name: str, note: str | None = NOTE) -> None:
    """Folders that nobody uses, as a killed runner leaves them."""
    (work_dir / name / "workspace").mkdir(parents=True)
    if note is not None:
        (work_dir / name / "held.json").write_text(note)


def test_what_a_dead_runner_left_is_told_from_what_another_uses(tmp_path: Path) -> None:
    removed: list[Path] = []
    with workspace(tmp_path, Held("other", 1), None, removed.append) as used:
        dead(tmp_path, "attempt-dead")
        dead(tmp_path, "left-before")
        left = {each.folder.name: each for each in left_behind(tmp_path)}
        assert left == {
            "left-dead": Left(tmp_path / "left-dead", HELD),
            "left-before": Left(tmp_path / "left-before", None),
        }
        assert left["left-dead"].mark == "attempt-dead"
        assert (used.folder.exists(), removed) == (True, [])
    assert (removed, used.folder.exists()) == ([tmp_path / used.mark.replace("attempt", "left")], False)


def test_a_runner_notes_which_attempt_its_folders_belong_to(tmp_path: Path) -> None:
    with workspace(tmp_path, HELD, None, lambda _: None) as used:
        assert json.loads((used.folder.parent / "held.json").read_text()) == json.loads(NOTE)


def noted(step_id: object, attempt: object) -> str:
    return json.dumps({"step_id": step_id, "attempt": attempt})


@pytest.mark.usefixtures("collector_at_rest")
@pytest.mark.parametrize(
    "note",
    [
        *(None, "", "[]", "{}", "\0", noted(STEP, "x"), noted(STEP, 0), noted(STEP, 10**9), noted(7, 1)),
        *(noted("1" * 300, 1), noted("../../x", 1), noted(f"{STEP}/x", 1), "[" * 200_000),
        noted(STEP, 1).replace("1}", "1e999}"),
    ],
)
def test_a_note_that_says_nothing_leaves_the_attempt_to_its_lease(tmp_path: Path, note: str | None) -> None:
    """A step can write there what it likes, and the note is used for a file's name."""
    dead(tmp_path, "attempt-dead", note)
    assert left_behind(tmp_path) == [Left(tmp_path / "left-dead", None)]


@pytest.mark.parametrize("put", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_a_step_put_in_the_place_of_a_note_or_of_its_folders_holds_nobody_up(
    tmp_path: Path, put: Callable[[Path], None]
) -> None:
    dead(tmp_path, "attempt-dead", None)
    put(tmp_path / "attempt-dead/held.json")
    put(tmp_path / "attempt-odd")
    left = {each.folder.name: each.held for each in left_behind(tmp_path)}
    assert left["left-dead"] is None
    assert {*left} <= {"left-dead", "left-odd"}


def test_a_work_folder_that_is_not_there_has_nothing_left(tmp_path: Path) -> None:
    assert left_behind(tmp_path / "none") == []
