"""Whatever a client sends reaches bash as a value: more than 10,000 hostile strings through every field of a step.

Many programs go through one bash, so that this takes seconds. A canary that any of them could touch must never appear.
"""

import itertools
import random
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.references import ENV_NAME_PATTERN, check_env_name
from app.domain.script import ScriptPart, StepScript, step_program

CANARY = "canary-was-here"
TOUCH = f"touch {CANARY}"
BATCH = 1_500
CORPUS_SIZE = 10_500
STEP = StepScript("build", "project", "step", "name", 1, "true")
MANY = 50
"""Values per script or list of outputs."""
TOGETHER = 10
"""Values per URL, branch or commit: long ones, with something hostile in every place."""
PLACES = 10
"""Values per program: its step's name, its branch, and variables."""
SHOW = """printf '%s\\0' "$STEP_NAME" "${GIT_BRANCH-}" """ + " ".join(f'"$V{place}"' for place in range(PLACES - 2))
FRAGMENTS = (
    *("'", '"', "`", "\\", "\\'", "''", "'\\''", "$", "$(", ")", "${", "}", "$((", "))", "((", "[[", "{", "(", "<("),
    *("\n", "\r", "\r\n", "\t", " ", "", "\x01", "\x7f", "\x1b[31m", "\x08", "\u2028", "\u202e", "\ufeff"),
    *("é", "e\u0301", "語", "🚀", "%", "%s", "-", "--", "-n", "--help", "$'", '$"', "\\n", "\\c", ">("),
    *(";", "&", "&&", "|", "||", "#", "!", "!!", "~", "*", "?", "[", "]", "=", "\nexit 0\n", "\n}\n", "\n)\n"),
    *("<", ">", "<<EOF\n", "EOF\n", "<<<", "\nEOF\n", "done\n", "fi\n"),
    *(TOUCH, f"$({TOUCH})", f"`{TOUCH}`", f"'; {TOUCH}; '", f"\n}}\n{TOUCH}\n", f"' && {TOUCH} #", f"$(({TOUCH}))"),
    *(f"${{x:-$({TOUCH})}}", f"a[$({TOUCH})]", f"\\'; {TOUCH} #", f"\n)\n{TOUCH}\n(", f"|{TOUCH}", f"<({TOUCH})"),
    *(f"ext::sh -c {TOUCH}", f"{{a,$({TOUCH})}}", f"@$({TOUCH})", f"%s$({TOUCH})%n", f"() {{ :; }}; {TOUCH}"),
    f"--upload-pack={TOUCH}",
)
SPECIAL = (
    *("BASH", "IFS", "LINENO", "RANDOM", "SRANDOM", "SECONDS", "HISTCMD", "OPTIND", "FUNCNAME", "GROUPS", "DIRSTACK"),
    *("BASHPID", "REPLY", "_", "CDPATH", "GLOBIGNORE", "POSIXLY_CORRECT", "BASH_COMPAT", "BASH_XTRACEFD", "TMOUT"),
    *("LC_ALL", "PS4", "PROMPT_COMMAND", "script", "status", "outputs", "found", "pattern", "missing", "say", "git"),
    "BUILDSERVER_SCRIPT",
)
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200) | st.lists(
    st.sampled_from(FRAGMENTS), max_size=8
).map("".join)
IN_ONE_BASH = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


def corpus() -> Iterator[str]:
    """Every fragment, every pair of them, and longer ones by a fixed seed: the same strings in every run."""
    yield from FRAGMENTS
    yield from ("".join(pair) for pair in itertools.product(FRAGMENTS, repeat=2))
    dice = random.Random(10)
    while True:
        yield "".join(dice.choices(FRAGMENTS, k=dice.randrange(3, 12)))


def batches() -> list[list[str]]:
    strings = list(itertools.islice(corpus(), CORPUS_SIZE))
    return [strings[start : start + BATCH] for start in range(0, len(strings), BATCH)]


def answers(programs: list[str], folder: Path, surroundings: str = "") -> list[bytes]:
    """Runs the programs one after the other in one bash, each in a subshell, and gives all they printed up to a NUL."""
    together = "\n".join([surroundings, *(f"(\n{program}\n)" for program in programs)])
    done = subprocess.run(["bash"], input=together.encode(), cwd=folder, capture_output=True, check=False)
    assert not list(folder.rglob(CANARY)), "the canary ran"
    return done.stdout.split(b"\0")[:-1]


def through_steps(values: list[str]) -> list[str]:
    return [through_step(*values[start : start + PLACES]) for start in range(0, len(values), PLACES)]


def through_step(name: str, branch: str, *values: str) -> str:
    env = {f"V{number}": value for number, value in enumerate(values)}
    step = replace(STEP, step_name=name, env=env, branch=branch, run_script=SHOW)
    return step_program(step, ScriptPart.RUN)


def as_script(values: Sequence[str]) -> str:
    """The script is meant to be parsed by bash, once: it arrives whole, here as data in quoted here-documents."""
    shown = [
        f"IFS= read -r -d '' value <<'__END__' || :\n{value}\n__END__\nprintf '%s\\0' \"$value\"" for value in values
    ]
    return step_program(replace(STEP, run_script="\n".join(shown)), ScriptPart.RUN)


def as_outputs(values: Sequence[str]) -> str:
    program = step_program(replace(STEP, output_paths=[f"none/{value}" for value in values]), ScriptPart.RUN)
    return f"(\n{program}\n)\nprintf '\\0'"


def as_repository(values: Sequence[str], field: str) -> str:
    """All of them in one URL, and in the other field too."""
    together = "".join(values)
    in_field = replace(STEP, branch=together) if field == "branch" else replace(STEP, commit_hash=together)
    step = replace(in_field, repo_url=f"https://h/{together}")
    return f"(\n{step_program(step, ScriptPart.CHECKOUT)}\n) >/dev/null"


def many(values: list[str], size: int = MANY) -> list[list[str]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


@pytest.mark.parametrize("values", batches(), ids=lambda values: f"{len(values)} values")
def test_names_variables_and_branches_arrive_as_they_were_sent(tmp_path: Path, values: list[str]) -> None:
    assert answers(through_steps(values), tmp_path) == [value.encode() for value in values]


@IN_ONE_BASH
@given(st.lists(VALUES, min_size=100, max_size=100))
def test_any_text_arrives_as_it_was_sent(tmp_path: Path, values: list[str]) -> None:
    assert answers(through_steps(values), tmp_path) == [value.encode() for value in values]


@IN_ONE_BASH
@given(st.lists(VALUES, min_size=60, max_size=60))
def test_any_script_arrives_as_it_was_sent(tmp_path: Path, values: list[str]) -> None:
    assert answers([as_script(values)], tmp_path) == [f"{value}\n".encode() for value in values]


def test_hostile_scripts_arrive_as_they_were_sent(tmp_path: Path) -> None:
    values = list(itertools.islice(corpus(), CORPUS_SIZE))
    programs = [as_script(each) for each in many(values)]
    assert answers(programs, tmp_path) == [f"{value}\n".encode() for value in values]


def test_hostile_output_paths_are_looked_for_and_named_and_run_nothing(tmp_path: Path) -> None:
    values = list(itertools.islice(corpus(), CORPUS_SIZE))
    assert answers([as_outputs(each) for each in many(values)], tmp_path) == [
        "".join(f"» declared output is missing: none/{value}\n" for value in each).encode() for each in many(values)
    ]


@pytest.mark.parametrize("field", ["branch", "commit_hash"])
def test_hostile_repository_fields_reach_git_as_they_were_sent_and_run_nothing(tmp_path: Path, field: str) -> None:
    """A git of ours stands in for the real one, notes beside the folder what it was asked to fetch, and complains."""
    values = many(list(itertools.islice(corpus(), CORPUS_SIZE)), TOGETHER)
    folder = tmp_path / "empty"
    folder.mkdir()
    assert answers([as_repository(each, field) for each in values], folder, GIT) == []
    assert list(folder.iterdir()) == []
    asked = (tmp_path / "asked").read_bytes().split(b"\0")[:-1]
    assert asked == [word.encode() for each in values for word in asked_for("".join(each), field)]


GIT = """\
git() { command git "$@"; }
command() {
  case " $* " in *" fetch "*)
    while [ "$1" != -- ]; do shift; done
    printf '%s\\0' "$@" >> ../asked
    printf '%s\\n' "$@"
    return 1
  esac
}
"""
"""Functions, as nothing else would be called by a thousand programs in a few seconds."""


def asked_for(value: str, field: str) -> list[str]:
    """What is fetched, and what is fetched instead: a server may know neither shallow fetches nor commits."""
    url = f"https://h/{value}"
    if field == "branch":
        return ["--", url, f"refs/heads/{value}" if value else "HEAD"] * 2
    everything = ["--", url, "+refs/heads/*:refs/fetched/heads/*", "+refs/tags/*:refs/fetched/tags/*"]
    return ["--", url, value, *everything] if len(value) >= 40 else everything


@IN_ONE_BASH
@given(
    st.lists(
        st.from_regex(ENV_NAME_PATTERN, fullmatch=True).filter(lambda name: check_env_name(name) is None),
        min_size=50,
        max_size=50,
        unique=True,
    )
)
def test_any_name_that_passes_the_check_can_be_set(tmp_path: Path, names: list[str]) -> None:
    programs = [
        step_program(replace(STEP, env={name: "x"}, run_script="printf 'ran\\0'"), ScriptPart.RUN) for name in names
    ]
    assert answers(programs, tmp_path) == [b"ran"] * len(names)


@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("value", ["1", f"$({TOUCH})", f"a[$({TOUCH})]"])
def test_names_that_mean_something_to_bash_or_to_the_program_do_no_harm(tmp_path: Path, name: str, value: str) -> None:
    step = replace(STEP, env={name: value}, run_script="echo ran > out; printf 'ran\\0'", output_paths=("ou*",))
    assert answers([step_program(step)], tmp_path) == [b"ran"]
    assert (tmp_path / "out").exists()
