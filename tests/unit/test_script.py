"""The program of a step, run by a real bash: hostile values stay values."""

import subprocess
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.script import ScriptPart, StepScript, step_program

CANARY = "canary-was-here"
HOSTILE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    [
        f"$(touch {CANARY})",
        f"`touch {CANARY}`",
        f"'; touch {CANARY}; '",
        f"\n}}\ntouch {CANARY}\n",
        f"a' && touch {CANARY} #",
    ]
)


def script(run_script: str, output_paths: tuple[str, ...] = (), env: dict[str, str] | None = None) -> StepScript:
    return StepScript("build", "project", "step", "name", 1, run_script, output_paths, env or {})


def run(step: StepScript, folder: Path, part: ScriptPart | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash"], input=step_program(step, part).encode(), cwd=folder, capture_output=True, check=False
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=HOSTILE)
def test_a_hostile_value_reaches_the_step_as_it_is_and_runs_nothing(tmp_path: Path, value: str) -> None:
    step = StepScript(
        "build", "project", "step", value, 1, 'printf %s "$STEP_NAME$VALUE"', (), {"VALUE": value}, branch=value
    )
    answer = run(step, tmp_path)
    assert answer.stdout.decode() == value * 2, answer.stderr
    assert not (tmp_path / CANARY).exists()


def test_hostile_repository_fields_run_nothing(tmp_path: Path) -> None:
    for value in ("--upload-pack=touch canary-was-here", f"ext::touch {CANARY}", f"$(touch {CANARY})"):
        step = StepScript("b", "p", "s", "n", 1, "true", repo_url=value, commit_hash=value, branch=value)
        answer = run(step, tmp_path, ScriptPart.CHECKOUT)
        assert answer.returncode == 1
        assert "checkout failed" in answer.stdout.decode()
        assert not (tmp_path / CANARY).exists()


def test_the_exit_status_is_the_scripts_own(tmp_path: Path) -> None:
    assert run(script("exit 42"), tmp_path).returncode == 42


def test_a_failing_command_in_a_pipe_fails_the_step(tmp_path: Path) -> None:
    answer = run(script("false | cat\necho never"), tmp_path)
    assert (answer.returncode, answer.stdout) == (1, b"")


def test_bash_counts_the_lines_of_the_users_script(tmp_path: Path) -> None:
    assert b"step: line 2: nonsense: command not found" in run(script("true\nnonsense"), tmp_path).stderr


def test_a_script_larger_than_an_argument_may_be_still_runs(tmp_path: Path) -> None:
    assert run(script(f"# {'x' * 300_000}\necho ran"), tmp_path).stdout == b"ran\n"


def test_a_missing_output_fails_the_step_by_name(tmp_path: Path) -> None:
    answer = run(script("mkdir dist; touch dist/a.whl", ("dist/*.whl", "report.xml")), tmp_path)
    assert answer.returncode == 1
    assert answer.stdout.decode() == "» declared output is missing: report.xml\n"


def test_a_variable_of_the_step_cannot_collide_with_the_programs_own(tmp_path: Path) -> None:
    env = {"script": "a", "status": "b", "outputs": "c", "IFS": "d"}
    answer = run(script('printf %s "$script$status$outputs"', env=env), tmp_path)
    assert (answer.returncode, answer.stdout) == (0, b"abc")
