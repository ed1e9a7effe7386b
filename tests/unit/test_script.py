"""The program of a step, run by a real bash."""

import signal
import subprocess
from pathlib import Path

import pytest

from app.domain.script import ScriptPart, StepScript, step_program


def script(run_script: str, output_paths: tuple[str, ...] = (), env: dict[str, str] | None = None) -> StepScript:
    return StepScript("build", "project", "step", "name", 1, run_script, output_paths, env or {})


def run(step: StepScript, folder: Path, part: ScriptPart | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash"], input=step_program(step, part).encode(), cwd=folder, capture_output=True, check=False
    )


def test_the_exit_status_is_the_scripts_own(tmp_path: Path) -> None:
    assert run(script("exit 42"), tmp_path).returncode == 42


def test_a_failing_command_in_a_pipe_fails_the_step(tmp_path: Path) -> None:
    answer = run(script("false | cat\necho never"), tmp_path)
    assert (answer.returncode, answer.stdout) == (1, b"")


def test_bash_counts_the_lines_of_the_users_script(tmp_path: Path) -> None:
    assert b"step: line 2: nonsense: command not found" in run(script("true\nnonsense"), tmp_path).stderr


def test_a_script_larger_than_an_argument_may_be_still_runs(tmp_path: Path) -> None:
    assert run(script(f"# {'x' * 300_000}\necho ran"), tmp_path).stdout == b"ran\n"


def test_a_script_that_reads_its_standard_input_finds_it_empty(tmp_path: Path) -> None:
    (tmp_path / "program").write_text(step_program(script("cat; echo end")))
    answer = subprocess.run(["bash", "program"], input=b"typed", cwd=tmp_path, capture_output=True, check=False)
    assert (answer.returncode, answer.stdout) == (0, b"end\n")


def test_a_missing_output_fails_the_step_by_name(tmp_path: Path) -> None:
    answer = run(script("mkdir dist; touch dist/a.whl", ("dist/*.whl", "report.xml")), tmp_path)
    assert answer.returncode == 1
    assert answer.stdout.decode() == "» declared output is missing: report.xml\n"


def test_a_variable_of_the_step_cannot_collide_with_the_programs_own(tmp_path: Path) -> None:
    env = {"script": "a", "status": "b", "outputs": "c", "IFS": "d"}
    answer = run(script('printf %s "$script$status$outputs"', env=env), tmp_path)
    assert (answer.returncode, answer.stdout) == (0, b"abc")


def test_a_step_without_a_repository_has_no_branch_and_no_commit_of_where_it_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_BRANCH", "of another build")
    monkeypatch.setenv("GIT_COMMIT", "of another build")
    assert run(script('printf %s "${GIT_BRANCH-none} ${GIT_COMMIT-none}"'), tmp_path).stdout == b"none none"


def test_not_even_the_path_of_bash_can_be_taken_by_a_variable_of_the_step(tmp_path: Path) -> None:
    env = {"BASH": "/bin/false", "SHELL": "/bin/false", "bash": "/bin/false", "PATH": "/nowhere"}
    answer = run(script("echo ran", env=env), tmp_path)
    assert (answer.returncode, answer.stdout) == (0, b"ran\n")


def test_a_script_that_is_no_bash_fails_and_says_where(tmp_path: Path) -> None:
    answer = run(script("echo before\nif then"), tmp_path)
    assert answer.returncode != 0
    assert b"step: eval: line 2: syntax error" in answer.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGXCPU, signal.SIGTERM])
def test_a_script_that_a_signal_ends_does_not_print_its_environment(tmp_path: Path, number: signal.Signals) -> None:
    """As bash would, of its own accord, when the kernel runs out of memory and kills a step's shell."""
    answer = run(script(f"echo before; echo warned >&2; kill -{number} $$; sleep 9", env={"TOKEN": "s3cr3t"}), tmp_path)
    assert (answer.returncode, answer.stdout, answer.stderr) == (128 + number, b"before\n", b"warned\n")


def test_half_a_program_does_nothing(tmp_path: Path) -> None:
    program = step_program(script("touch ran"))
    for size in range(0, len(program) - len("}\n"), 7):
        subprocess.run(["bash"], input=program[:size].encode(), cwd=tmp_path, capture_output=True, check=False)
    assert list(tmp_path.iterdir()) == []


def test_another_shell_is_told_that_bash_is_needed(tmp_path: Path) -> None:
    program = step_program(script("touch ran", ("ran",)))
    (tmp_path / "program").write_text(program)
    for words, piped in ((["sh"], program), (["sh", "program"], "")):
        answer = subprocess.run(words, input=piped, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (answer.returncode, answer.stdout) == (2, "")
        assert answer.stderr == "This program needs bash: pipe it into bash, not into sh.\n"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("options", [["--posix"], ["-o", "errexit", "-o", "nounset"], ["--norc", "-x"]])
def test_a_bash_in_another_mode_does_the_step_too(tmp_path: Path, options: list[str]) -> None:
    step = script('mkdir -p out; echo "$VALUE" | tee out/file', ("out/*",), {"VALUE": "it's"})
    answer = subprocess.run(
        ["bash", *options], input=step_program(step), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stdout) == (0, "it's\n")


@pytest.mark.parametrize(
    "newer",
    ["${value,,}", "mapfile", "readarray", "declare -A", "local -n", "|&", "&>>", ";;&", "coproc", "${value@Q}"],
)
def test_the_program_uses_nothing_that_bash_3_does_not_have(newer: str) -> None:
    step = StepScript("b", "p", "s", "n", 1, "true", ("out",), {"A": "b"}, "https://h/r", "0123456789", "main")
    assert newer not in step_program(step)


@pytest.mark.parametrize(
    ("made", "declared", "found"),
    [
        ("touch a.txt", "a.txt", True),
        ("mkdir -p dist/x", "dist", True),
        ("mkdir -p a/b/c; touch a/b/c/x.whl", "a/**/x.whl", True),
        ("touch .hidden", "*", True),
        ("touch 'we[i]rd'", "we[i]rd", True),
        ("touch 'with blank'", "with blank", True),
        ("touch 'with blank'", "with *", True),
        ("touch b", "[!b]", False),
        ("ln -s nowhere link", "link", False),
        ("ln -s nowhere link", "li*", False),
        ("touch a b", "$(touch canary)", False),
        ("touch a b", "{a,b}", False),
        ("true", "~", False),
    ],
)
def test_a_declared_output_is_a_path_or_a_pattern_and_nothing_else(
    tmp_path: Path, made: str, declared: str, found: bool
) -> None:
    answer = run(script(made, (declared,)), tmp_path)
    assert answer.returncode == (0 if found else 1)
    assert answer.stdout.decode() == ("" if found else f"» declared output is missing: {declared}\n")
    assert not (tmp_path / "canary").exists()
