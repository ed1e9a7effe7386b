"""The bash program that does a step's work: what `GET /api/runner/{stepId}` answers.

Plain bash that runs in an empty folder on any machine with bash (3.2 or newer) and git. It has two parts, for runners
that do them in different places: `checkout` fills the folder, `run` runs the user's script in it and looks for the
outputs; one after the other they are the whole step.

Every value that a client chose stands in the program once, as a single-quoted literal assigned to a variable, and is
used only as `"$variable"`: nothing a client sends is ever parsed as bash, and git is told with `--` or a full ref name
that it is no option. The program carries the attempt and holds nothing secret of the server.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from shlex import quote

from app.domain.checkout import OWN_REPOSITORY, checkout


class ScriptPart(StrEnum):
    """Which part of the step the program does."""

    CHECKOUT = "checkout"
    RUN = "run"


@dataclass(frozen=True)
class StepScript:
    """What the program is made from; ids are the server's own, everything else may be hostile."""

    build_id: str
    project_id: str
    step_id: str
    step_name: str
    attempt: int
    run_script: str
    output_paths: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    repo_url: str | None = None
    commit_hash: str | None = None
    branch: str | None = None
    allow_file_repos: bool = False


# A shell that is not bash would stumble over the rest; the braces keep half a download from being run.
HEADER = """\
#!/usr/bin/env bash
# One step of a build, as a program: run it with bash in an empty folder.
[ -n "${BASH_VERSION:-}" ] || { echo "This program needs bash: pipe it into bash, not into sh." >&2; exit 2; }
{
set -euo pipefail
say() { printf '» %s\\n' "$*"; }
"""

FOOTER = """\
exit 0
}
"""

# What these name is a fact about the step. A step that has none must not take them from where its program was started,
# which may be a step of another build.
INHERITED = ("GIT_BRANCH", "GIT_COMMIT")

# The environment is set in a subshell of its own, after the program's variables were used: no name a client chooses
# for one of the step's variables can collide with ours, and the path of bash is $1, which is no name at all. What is
# assigned to some of bash's own variables (OPTIND, RANDOM) is evaluated, command substitutions included: unset, they
# are names like any other. The
# script is read from descriptor 3, so that its size is not limited, bash counts its lines from 1, and standard input
# stays empty even where this program comes through a pipe. The outer bash is silent meanwhile: of a subshell that a
# signal ends it would print all the text, with every value of the environment.
RUN = """\
status=0
exec 3<<<"$script"
{
(
exec 2>&4 4>&-
set -- "$BASH"
%s
exec "$1" -c \\
  'IFS= read -r -d "" BUILDSERVER_SCRIPT <&3; exec 3<&-; set -euo pipefail; eval "$BUILDSERVER_SCRIPT"' step </dev/null
) || status=$?
} 4>&2 2>/dev/null
exec 3<&-
[ "$status" -eq 0 ] || exit "$status"
"""

# With an empty IFS an unquoted expansion is matched against file names and nothing else. `**` matches through folders
# where bash is newer than 3.2, and like `*` elsewhere.
OUTPUTS = """\
shopt -s nullglob dotglob
shopt -s globstar 2>/dev/null || :
missing=0
for pattern in "${outputs[@]}"; do
  [ ! -e "$pattern" ] || continue
  IFS=
  found=($pattern)
  unset IFS
  if [ "${#found[@]}" -eq 0 ] || [ ! -e "${found[0]}" ]; then
    say "declared output is missing: $pattern"
    missing=1
  fi
done
[ "$missing" -eq 0 ] || exit 1
"""


def step_program(step: StepScript, part: ScriptPart | None = None) -> str:
    """The program for one part of the step, or for all of it; the same input gives the same text."""
    wanted = (part,) if part else (ScriptPart.CHECKOUT, ScriptPart.RUN)
    sections = [HEADER]
    if step.repo_url:
        sections.append(OWN_REPOSITORY)
    if ScriptPart.CHECKOUT in wanted and step.repo_url:
        sections.append(checkout(step.repo_url, step.commit_hash, step.branch, step.allow_file_repos))
    if ScriptPart.RUN in wanted:
        sections.append(_run(step))
    return "\n".join([*sections, FOOTER])


def _run(step: StepScript) -> str:
    variables = {**_environment(step), **step.env}
    exports = [f"unset -v {' '.join([*INHERITED, *variables])} 2>/dev/null || :"]
    if step.repo_url:
        exports.append("GIT_COMMIT=$(git rev-parse HEAD 2>/dev/null) && export GIT_COMMIT || unset GIT_COMMIT")
    exports += [f"export {name}={quote(value)}" for name, value in variables.items()]
    lines = [f"script={quote(step.run_script)}", RUN.replace("%s", "\n".join(exports))]
    if step.output_paths:
        outputs = " ".join(quote(path) for path in step.output_paths)
        lines += [f"outputs=({outputs})", OUTPUTS]
    return "\n".join(lines)


def _environment(step: StepScript) -> dict[str, str]:
    always = {
        "CI": "true",
        "BUILDSERVER": "true",
        "PROJECT_ID": step.project_id,
        "BUILD_ID": step.build_id,
        "STEP_ID": step.step_id,
        "STEP_NAME": step.step_name,
        "STEP_ATTEMPT": str(step.attempt),
    }
    return {**always, "GIT_BRANCH": step.branch} if step.branch else always
